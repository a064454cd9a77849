# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest pays that does not use user interrupts: nothing.

Its translation is compared with an unpatched QEMU's, block by block, and so is
the time of some jobs in a Linux guest.
"""
import os
import re
import subprocess
import tempfile

import measure

# Offsets in CPUX86State, addresses in the host's memory, and what the register
# allocator says of its wishes, which for "discard" is not initialized
MASKED = re.compile(r'(?<=env,)\$0x[0-9a-f]+|\$0x[0-9a-f]{9,}|pref=\w+')
JOBS = {
    'boot to shell': 'true',
    'compile job': 'for i in 1 2 3; do cc1 -quiet -O2 /floor.i -o /tmp/floor.s '
                   '|| exit 1; done',
    'sieve': 'awk \'BEGIN { for (i = 2; i < 200000; i++) if (!s[i]) '
             'for (j = 2 * i; j < 200000; j += i) s[j] = 1 }\'',
    'processes and files': 'i=0; while [ $i -lt 300 ]; do sed s/a/b/ '
                           '/bin/check-dmesg | sort | gzip > /tmp/x$i; '
                           'i=$((i + 1)); done',
}


def blocks(machine, qemu):
    """The intermediate code of each block of guest code, before and after
    optimization; blocks that were made several times have several"""
    with tempfile.NamedTemporaryFile() as log:
        machine.bare_metal(
            qemu, append='upto=2', smp=1, cpu='max',
            more=['-d', 'op,op_opt', '-D', log.name, '-accel',
                  'tcg,thread=single'])
        found = {}
        for text in open(log.name, errors='replace').read().split('\nOP:\n'):
            where = tuple(re.findall(r'^ ---- (\w+)', text, re.M))
            found.setdefault(where, set()).add(MASKED.sub('$', text.strip()))
    return found


def translation(machine):
    """How many blocks both have translated, and which differ"""
    ours = blocks(machine, machine.ours)
    stock = blocks(machine, machine.stock)
    both = [w for w in ours if w in stock]
    # A block may end early because of an interrupt on one side only.
    differ = [w for w in both if not ours[w] & stock[w]]
    if len(both) < 100:
        raise measure.Failed('only %d blocks to compare: see "-d op"'
                             % len(both))
    return {'compared': len(both), 'differ': [' '.join(w) for w in differ]}


def seconds(machine, qemu, script):
    """Of QEMU in user mode, and in all. The host's kernel adds up to half a
    second, or nothing, depending on the huge pages that it has left."""
    command = [os.path.join(machine.top, 'guest/boot'), '--smp=1',
               '--cpu=max', f'--qemu={qemu}', f'--accel={machine.accel}',
               '--initrd=' + os.path.join(machine.build, 'bench/jobs.cpio'),
               machine.build, 'sh', '-c', script]
    before = os.times()
    run = subprocess.run(command, stdin=subprocess.DEVNULL, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    after = os.times()
    if run.returncode:
        raise measure.Failed(f'the guest failed: {run.stdout[-500:]}')
    return (after.children_user - before.children_user,
            after.elapsed - before.elapsed)


def add_jobs(into, machine):
    """Two runs of each job on both, the boot included: some hosts give more
    to the second of two"""
    for job, script in JOBS.items():
        row = into.setdefault(job, {'ours': [], 'stock': [],
                                    'ours, in all': [], 'stock, in all': []})
        for side in 'ours', 'stock', 'stock', 'ours':
            user, wall = seconds(machine, getattr(machine, side), script)
            row[side].append(user)
            row[f'{side}, in all'].append(wall)
