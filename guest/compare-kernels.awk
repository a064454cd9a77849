# SPDX-License-Identifier: GPL-2.0-or-later
#
# For guest/compare-kernels: reads the logs of kernel A and of kernel B, whose
# names begin with compare-a and compare-b, and prints tables of medians.

function add(row, column, value,   key)
{
    key = row SUBSEP column SUBSEP side
    values[key, ++count[key]] = value + 0
}

# Of the values of a row and column on one side
function median(row, column, of,   key, n, i, j, x, sorted)
{
    key = row SUBSEP column SUBSEP of
    n = count[key]
    for (i = 1; i <= n; i++) {
        x = values[key, i]
        for (j = i - 1; j > 0 && sorted[j] > x; j--)
            sorted[j + 1] = sorted[j]
        sorted[j + 1] = x
    }
    i = int((n + 1) / 2)
    return n % 2 ? sorted[i] : (sorted[i] + sorted[i + 1]) / 2
}

function ratio(a, b)
{
    return a > 0 ? sprintf("%.2f", b / a) : "-"
}

function note(row, rows)
{
    if (!(row in seen)) {
        seen[row] = 1
        rows[++rows[0]] = row
    }
}

FNR == 1 { side = FILENAME ~ /compare-a/ ? "a" : "b" }
{ sub(/\r$/, "") }

# kind bytes messages avg min p50 p99 max msg/s
NF == 9 && $1 !~ /^(own|path|descriptor)$/ && $2 ~ /^[0-9]+$/ &&
    $3 ~ /^[0-9]+$/ && $9 ~ /^[0-9]+$/ {
    row = sprintf("%-18s %6s", $1, $2)
    note(row, ipc)
    add(row, "p50", $6)
}

# files buffer blocks copies kB/s ms D-ms D% samples
NF == 9 && $1 ~ /^(own|path|descriptor)$/ {
    row = sprintf("%-18s %6s", $1, $2)
    note(row, copy)
    add(row, "rate", $5)
    add(row, "blocked", $7)
    add(row, "share", $8)
}

END {
    if (!ipc[0] || !copy[0]) {
        print "compare-kernels: error: no results in the logs" > "/dev/stderr"
        exit 1
    }
    printf "\n%-18s %6s %12s %12s %8s\n", "round trip by", "bytes",
        "A us", "B us", "B/A"
    for (i = 1; i <= ipc[0]; i++) {
        a = median(ipc[i], "p50", "a")
        b = median(ipc[i], "p50", "b")
        printf "%s %12.3f %12.3f %8s\n", ipc[i], a, b, ratio(a, b)
    }
    printf "\n%-18s %6s %12s %12s %8s %11s %11s %6s %6s\n", "files", "buffer",
        "A kB/s", "B kB/s", "B/A", "A D ms", "B D ms", "A D%", "B D%"
    for (i = 1; i <= copy[0]; i++) {
        a = median(copy[i], "rate", "a")
        b = median(copy[i], "rate", "b")
        printf "%s %12.0f %12.0f %8s %11.1f %11.1f %6.1f %6.1f\n", copy[i],
            a, b, ratio(a, b),
            median(copy[i], "blocked", "a"), median(copy[i], "blocked", "b"),
            median(copy[i], "share", "a"), median(copy[i], "share", "b")
    }
}
