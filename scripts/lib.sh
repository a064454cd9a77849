# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# What all scripts share. Sourced with $top set to the repository.

cache=${XDG_CACHE_HOME:-$HOME/.cache}/uintr
# shellcheck source=patches/upstream.pin
. "$top/patches/upstream.pin"

say()
{
    printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die()
{
    say "error: $*"
    exit 1
}

# arguments MIN MAX "$@": print the head comment if that is --help; else there
# must be so many words, and the first must not look like an option
arguments()
{
    min=$1
    max=$2
    shift 2
    case ${1-} in
    -h | --help)
        sed -n '4,/^$/s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    -*) die "what is $1? Try --help" ;;
    esac
    [ $# -ge "$min" ] || die "$# arguments are too few, try --help"
    [ $# -le "$max" ] || die "$# arguments are too many, try --help"
}

# build_folder FOLDER: set $build to its full path
build_folder()
{
    [ -f "$1/config.sh" ] ||
        die "$1 is not a build folder: run $top/configure there"
    build=$(cd "$1" && pwd)
}

# pin_of PACKAGE: set $version and $accept from the pin file
pin_of()
{
    # shellcheck disable=SC2046 # two words are wanted
    set -- "$1" $(printf '%s' "${packages:?}" | awk -v p="$1" '$1 == p { print $2, $3 }')
    [ $# -eq 3 ] || die "patches/upstream.pin has no line for package $1; add one"
    version=$2
    accept=$3
}

# accepted VERSION PATTERN
accepted()
{
    # shellcheck disable=SC2254 # the pattern is meant to be one
    case $1 in
    $2) return 0 ;;
    esac
    return 1
}

# system_mirrors [SUFFIX]: where the system's apt gets a suite, or a suite with
# that suffix (a regular expression), from. apt itself tells, and understands
# every form of source file.
system_mirrors()
{
    apt-get update --print-uris 2>/dev/null |
        sed -n "s,^'\(.*\)/dists/\(.*\)/InRelease' .*,\1 \2,p" |
        awk -v s="^[a-z]+(${1-})\$" '$2 ~ s && !n[$1]++ { print $1 }'
}

# Where our files of QEMU are
qemu_dirs='accel configs disas docs hw include target tests'

# own_files [FILE-OR-FOLDER...]: those files and the files in those folders
own_files()
{
    for f; do
        [ ! -e "$f" ] || find "$f" -type f ! -name '.*' ! -name '*~'
    done | sed 's,^\./,,'
}

# files_of_patch PATCH: what it brings to QEMU, by patches/qemu/files
files_of_patch()
{
    # shellcheck disable=SC2046 # no file name here has a blank
    (cd "$top" && own_files $(awk -v p="$1" '$1 == p { $1 = ""; print }' \
        patches/qemu/files))
}

# part NAME COMMAND...: run a part of a suite that prints TAP of its own
part()
{
    echo "## part $1"
    shift
    status=0
    "$@" || status=$?
    echo "## status $status"
}

# guest_part NAME OPTION... COMMAND...: a part that is a command in the guest,
# with the options of guest/boot. What the tests look for in the environment
# comes to them by the kernel's command line.
guest_part()
{
    name=$1
    shift
    for variable in UINTR_ROUNDS UINTR_TIMEOUT UINTR_QUARANTINE; do
        eval "value=\${$variable-}"
        [ -z "$value" ] || set -- "--append=$variable=$value" "$@"
    done
    options=
    while :; do
        case ${1-} in
        -*) options="$options $1"; shift ;;
        *) break ;;
        esac
    done
    # shellcheck disable=SC2086 # options without blanks
    part "$name" "$top/guest/boot" $options "$UINTR_BUILD" "$@" < /dev/null
}
