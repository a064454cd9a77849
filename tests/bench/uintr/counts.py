# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts that do not depend on the host's speed: instructions and locks.

Instructions are those that callgrind, if it is installed, sees in one function
of QEMU and in what it calls, without the translated code around it. Locks are
what QEMU's own synchronization profiler sees of the big lock.
"""
import os
import re
import shutil
import tempfile

import measure

WARM_UP = 1000                          # rounds before each figure
# What is counted, the function, and the test that does it
STEPS = (
    ('SENDUIPI with ON or SN set', 'helper_senduipi',
     'SENDUIPI with ON or SN set'),
    ('SENDUIPI to oneself', 'helper_senduipi',
     'SENDUIPI to oneself, handler, UIRET'),
    ('notification and delivery', 'x86_uintr_exec_unlocked',
     'SENDUIPI to oneself, handler, UIRET'),
    ('UIRET', 'helper_uiret', 'UIRET with nothing pending'),
)
SEND = 'SENDUIPI that notifies another CPU'
PAIRS = '4 CPUs send to 4 others'
SIZES = (2, 8, 64)
# The lock that all vCPUs share, where a notification is sent and accepted. It
# is also taken for each PAUSE of a CPU that waits, which does not count.
LOCK = re.compile(r'^BQL mutex\s+\S+\s+\S*(?:accel/tcg/cpu-exec|uintr-\w+)'
                  r'\.c:\d+\s+[\d.]+\s+(\d+)\s', re.M)


def options(machine, test):
    """The program's options for one of its tests"""
    text = machine.bare_metal(machine.ours, append='list', smp=1)
    for number, name in re.findall(r'^# (\d+) - (.*)$', text, re.M):
        if name == test:
            return f'from={number} upto={number}'
    raise measure.Failed(f'{machine.bench} has no test "{test}"')


def instructions(machine, function, test, smp=1):
    """Instructions of @function, on average, in all that the test does"""
    with tempfile.NamedTemporaryFile() as out:
        text = machine.bare_metal(
            machine.ours, append=options(machine, test), smp=smp,
            prefix=('valgrind', '--tool=callgrind', '--quiet',
                    '--collect-atstart=no', f'--toggle-collect={function}',
                    '--fair-sched=yes', f'--callgrind-out-file={out.name}'))
        total = re.search(r'^totals: (\d+)', out.read().decode(), re.M)
    rounds = re.findall(r'^# figure \S+ \d+ (\d+)', text, re.M)
    samples = len(measure.SAMPLE.findall(text))
    calls = sum(int(n) + WARM_UP for n in rounds) + samples
    if not total or not calls:
        raise measure.Failed(f'callgrind has not seen {function}')
    return int(total.group(1)) / calls


def locks(machine, fast):
    """How often the BQL is taken, and how many notifications were sent meanwhile"""
    text = machine.bare_metal(
        machine.ours, smp=8, append=options(machine, PAIRS) + ' stay',
        cpu=f'max,+uintr,uintr-fast={"on" if fast else "off"}',
        monitor=('sync-profile on\n', 'info sync-profile -n 1000\nquit\n'))
    sends = re.search(r'^# count (\d+)', text, re.M)
    return {'taken': sum(int(n) for n in LOCK.findall(text)),
            'notifications': int(sends.group(1))}


def all_counts(machine, short):
    result = {}
    if shutil.which('valgrind'):
        result['instructions'] = {
            what: instructions(machine, function, test)
            for what, function, test in STEPS[:1 if short else None]}
        result['send by vCPUs'] = {
            str(n): instructions(machine, 'helper_senduipi', SEND, n)
            for n in SIZES[:1 if short else None]}
    result['locks'] = {'uintr-fast=on': locks(machine, True)}
    if not short:
        result['locks']['uintr-fast=off'] = locks(machine, False)
    return result
