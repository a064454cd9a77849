# SPDX-License-Identifier: GPL-2.0-or-later
"""Running the two QEMUs and reading what the guests print."""
import os
import re
import statistics
import subprocess
import tempfile
import time

FIGURE = re.compile(r'# figure (\S+) (\d+) \d+$', re.M)
SAMPLE = re.compile(r'# sample (\S+) (\d+)$', re.M)
NOT_OK = re.compile(r'^not ok .*', re.M)
# kind bytes messages avg min p50 p99 max messages/s, all but three in us
IPC = re.compile(r'^([a-z][\w-]*) +(\d+) +(\d+)((?: +[\d.]+){5}) +(\d+)\r?$',
                 re.M)
# by reader messages avg min p50 p99 max post, in us
EVENT = re.compile(r'^([a-z][\w-]*) +([a-z][\w-]*) +(\d+)((?: +[\d.]+){6})\r?$',
                   re.M)
VCPUS = 2                               # that are never idle
TIMEOUT = 600                           # seconds, for any guest


class Failed(Exception):
    """A run that gave no result; the text says what to do."""


class Figures:
    """All runs on one QEMU: picoseconds by name, samples in nanoseconds."""

    def __init__(self):
        self.figures, self.samples = {}, {}

    def add(self, text):
        for name, ps in FIGURE.findall(text):
            self.figures.setdefault(name, []).append(int(ps) / 1000)
        for name, ns in SAMPLE.findall(text):
            self.samples.setdefault(name, []).append(int(ns))

    def as_dict(self):
        return {'ns': self.figures, 'samples': self.samples}


def median(values):
    return statistics.median(values)


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def add_rows(into, text):
    for kind, size, _, times, rate in IPC.findall(text):
        row = into.setdefault(f'{kind} {size}', {'p50': [], 'rate': []})
        row['p50'].append(float(times.split()[2]))
        row['rate'].append(int(rate))
    for kind, reader, _, times in EVENT.findall(text):
        row = into.setdefault(f'{kind} {reader}', {'p50': []})
        row['p50'].append(float(times.split()[2]))


def load():
    with open('/proc/loadavg') as f:
        return ' '.join(f.read().split()[:3])


def idle_cpus(seconds=1.0):
    """How many CPUs of the host have nothing to do"""
    def ticks():
        with open('/proc/stat') as f:
            n = [int(x) for x in f.readline().split()[1:9]]
        return n[3] + n[4], sum(n)

    idle, total = ticks()
    time.sleep(seconds)
    idle2, total2 = ticks()
    return os.cpu_count() * (idle2 - idle) / max(1, total2 - total)


def wait_for_end(run, path):
    """Until the program, which stays, has printed its last line"""
    start = time.monotonic()
    while run.poll() is None:
        with open(path) as f:
            if '# end' in f.read():
                return
        if time.monotonic() - start > TIMEOUT:
            raise subprocess.TimeoutExpired(run.args, TIMEOUT)
        time.sleep(0.1)


class Machine:
    """Where and on what everything runs"""

    def __init__(self, top, args):
        self.top, self.build, self.accel = top, args.build, args.accel
        self.extra = args.qemu_arg
        self.append = 'x2apic divide=10' if args.short else 'x2apic'
        self.ours = os.path.join(self.build, 'qemu/qemu-system-x86_64')
        self.stock = os.path.join(self.build, 'stock/qemu/qemu-system-x86_64')
        self.bench = os.path.join(self.build, 'bench/bare-metal')

    def why_not(self):
        """Reasons for which times would mislead"""
        words = ' '.join([self.accel, *self.extra])
        reasons = []
        if 'thread=single' in words:
            reasons.append('thread=single: no two vCPUs run at the same time')
        if '-icount' in words:
            reasons.append('-icount: the guest\'s time is not the host\'s')
        idle = idle_cpus()
        if idle < VCPUS - 0.3:
            reasons.append(f'{VCPUS} vCPUs need as many idle CPUs, and this '
                           f'host has {idle:.1f} of {os.cpu_count()}: wait '
                           'until it is quiet')
        return reasons

    def description(self):
        with open('/proc/cpuinfo') as f:
            cpu = re.search(r'model name\s*: (.*)', f.read())
        version = subprocess.run([self.ours, '--version'], check=True,
                                 stdout=subprocess.PIPE, text=True).stdout
        return {'cpu': cpu.group(1) if cpu else 'unknown',
                'cpus': os.cpu_count(), 'load before': load(),
                'qemu': version.splitlines()[0], 'accel': self.accel,
                'arguments': self.extra}

    def command(self, qemu, output, append='', smp=VCPUS, cpu=None, more=()):
        if not cpu:
            cpu = 'max,+uintr' if qemu == self.ours else 'max'
        return [qemu, '-nodefaults', '-no-user-config',
                '-display', 'none', '-serial', 'null', '-monitor', 'stdio',
                '-chardev', f'file,id=output,path={output}',
                '-device', 'isa-debugcon,chardev=output',
                '-device', 'isa-debug-exit,iobase=0xf4,iosize=0x4',
                '-accel', self.accel, '-m', '64', '-cpu', cpu,
                '-smp', str(smp), '-kernel', self.bench,
                '-append', f'{self.append} {append}', *self.extra, *more]

    def bare_metal(self, qemu, monitor=None, prefix=(), **kwargs):
        """What the bare-metal program prints, and the monitor, if @monitor
        has commands for the start and for the end of the program."""
        with tempfile.NamedTemporaryFile(suffix='.out') as output:
            command = [*prefix, *self.command(qemu, output.name, **kwargs)]
            run = subprocess.Popen(command, stdin=subprocess.PIPE, text=True,
                                   stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
            try:
                if monitor:
                    run.stdin.write(monitor[0])
                    run.stdin.flush()
                    wait_for_end(run, output.name)
                said, _ = run.communicate(monitor and monitor[1], TIMEOUT)
            except subprocess.TimeoutExpired:
                run.kill()
                run.communicate()
                raise Failed(f'no end after {TIMEOUT} s: {" ".join(command)}')
            text = output.read().decode()
        bad = NOT_OK.search(text)
        if bad or '# end' not in text:
            raise Failed(f'{bad.group() if bad else said[-300:]}; by '
                         f'hand: {" ".join(command)}')
        return text + said

    def floor(self):
        """What the host needs between two CPUs, without any emulator"""
        return subprocess.run([os.path.join(self.build, 'bench/floor')],
                              check=True, stdout=subprocess.PIPE,
                              text=True).stdout

    def guest(self, short):
        """IPC between two processes and threads in Linux, on ours"""
        messages, events = (200, 100) if short else (20000, 5000)
        script = (f'ipc-bench all -s 1 -c {messages} && '
                  f'event-bench -c {events}')
        command = [os.path.join(self.top, 'guest/boot'), f'--smp={VCPUS}',
                   '--memory=1G', f'--accel={self.accel}',
                   *[f'--qemu-arg={a}' for a in self.extra], self.build,
                   'sh', '-c', script]
        run = subprocess.run(command, stdin=subprocess.DEVNULL, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if run.returncode:
            raise Failed(f'the guest failed: {run.stdout[-500:]}')
        return run.stdout
