# SPDX-License-Identifier: GPL-2.0-or-later
"""What was measured, as a table in Markdown and as plots."""
import os
import shutil
import subprocess

from measure import median, percentile

# The figure, its name, the reference, what of the reference is allowed, or
# None and how many nanoseconds are. "a - b" is the difference of two figures.
LIMITS = (
    ('SENDUIPI to oneself, handler, UIRET', 'self', 'apic_self', 0.30),
    ('round trip between two vCPUs', 'round_trip', 'apic_round_trip', 0.45),
    ('SENDUIPI with SN set', 'send_sn', 'apic_self', 0.10),
    ('SENDUIPI with ON set', 'send_on', 'apic_self', 0.10),
    ('CLUI', 'clui', None, 2),
    ('STUI with nothing pending', 'stui', None, 2),
    ('TESTUI', 'testui', None, 2),
    ('UIRET with nothing pending', 'uiret - loop', 'own ret - loop', 4),
)
FLOORS = (
    ('a cache line to another CPU and back', 'floor_cache_line'),
    ('waking a thread on another CPU, which wakes this one',
     'floor_thread_wake'),
)
# How many times as fast as this Intel says that user interrupts are on silicon
INTEL = (('eventfd', 9.7), ('pipe', 16.3), ('signal', 14.8), ('socket', 17.3))
SAPPHIRE_RAPIDS = 377670                # messages/s between processes
PERCENTILES = (50, 90, 99, 99.9)


def times(result, name):
    """All nanoseconds of a figure; the reference's are the unpatched QEMU's"""
    side = 'ours'
    if name.startswith('own '):
        name = name[4:]
    elif name.startswith('apic_'):
        side = 'stock'
    terms = name.split(' - ')
    runs = [result[side]['ns'][term] for term in terms]
    if len(runs) == 1:
        return runs[0]
    return [a - b for a, b in zip(*runs)]


def missing(result, args):
    """Names of figures that should be there and are not"""
    if 'ours' not in result:
        return []
    names = []
    for _, name, reference, _ in LIMITS:
        for n in filter(None, (name, reference)):
            try:
                times(result, n)
            except KeyError as e:
                names.append(str(e))
    if not args.no_guest:
        names += [f'{kind} 1' for kind, _ in INTEL
                  if f'{kind} 1' not in result['ipc']]
    return sorted(set(names))


def spread(values):
    return f'{median(values):.4g} ({min(values):.4g} .. {max(values):.4g})'


def verdict(ok):
    return 'yes' if ok else '**no**'


def figures(result):
    lines = ['| figure | ns | reference, ns | ratio | at most | met |',
             '|---|---|---|---|---|---|']
    for title, name, reference, limit in LIMITS:
        ours = times(result, name)
        if reference:
            base = times(result, reference)
            ratio = median(ours) / median(base)
            lines.append(f'| {title} | {spread(ours)} | {spread(base)} | '
                         f'{ratio:.3f} | {limit} | {verdict(ratio <= limit)} |')
        else:
            lines.append(f'| {title} | {spread(ours)} | | | {limit} ns | '
                         f'{verdict(median(ours) <= limit)} |')
    for title, name in FLOORS:
        lines.append(f'| host: {title} | '
                     f'{spread(result["stock"]["ns"][name])} | | | | |')
    return lines + ['']


def slow(result):
    """What the way through the APIC and the big lock costs"""
    off = result['uintr-fast=off']['ns']
    return ['| ns | uintr-fast=on | uintr-fast=off |', '|---|---|---|'] + [
        f'| {name} | {spread(times(result, name))} | {spread(off[name])} |'
        for name in ('self', 'round_trip', 'send')] + ['']


def latencies(result):
    lines = ['| single rounds, ns | ' +
             ' | '.join(f'p{p}' for p in PERCENTILES) + ' |',
             '|---|' + '---|' * len(PERCENTILES)]
    for side in 'stock', 'ours':
        for name, values in result[side]['samples'].items():
            if (side == 'stock') == name.startswith('apic_'):
                lines.append(f'| {name} | ' + ' | '.join(
                    str(percentile(values, p)) for p in PERCENTILES) + ' |')
    return lines + ['']


def ipc_rows(result):
    """(kind, microseconds, times as long as uintr, what Intel says)"""
    base = median(result['ipc']['uintr-process 1']['p50'])
    return [(kind, us, us / base, intel) for kind, intel in INTEL
            for us in [median(result['ipc'][f'{kind} 1']['p50'])]]


def ipc(result):
    rows = result['ipc']
    process = rows['uintr-process 1']
    rate = median(process['rate'])
    lines = ['| IPC in the Linux guest, 1 byte | round trip, us | '
             'to user interrupts | at least | met |', '|---|---|---|---|---|',
             f'| uintr, between processes | {spread(process["p50"])} | | | |']
    lines += [f'| {kind} | {us:.4g} | {ratio:.1f} | {intel} | '
              f'{verdict(ratio >= intel)} |'
              for kind, us, ratio, intel in ipc_rows(result)]
    lines += ['', f'Messages/s between processes: {rate:.0f} (at least '
              f'{SAPPHIRE_RAPIDS}: {verdict(rate >= SAPPHIRE_RAPIDS)})', '']
    lines += ['| blocked reader, us | eventfd | uintr event fd | faster |',
              '|---|---|---|---|']
    for key in sorted(rows):
        if key.startswith('uintr-event blocked'):
            ours = median(rows[key]['p50'])
            base = median(rows[key.replace('uintr-event', 'eventfd')]['p50'])
            lines.append(f'| {key.split()[1]} | {base:.4g} | {ours:.4g} | '
                         f'{verdict(ours < base)} |')
    return lines + ['']


def jobs(result):
    lines = ['| a guest without user interrupts | unpatched, s | ours, s | '
             'ratio | at most | met | with the time of the host\'s kernel |',
             '|---|---|---|---|---|---|---|']
    for job, row in result['jobs'].items():
        # Of pairs, one just after the other: the host's speed drifts
        ratio, in_all = (median([a / b for a, b in zip(row['ours' + what],
                                                       row['stock' + what])])
                         for what in ('', ', in all'))
        lines.append(f'| {job} | {spread(row["stock"])} | '
                     f'{spread(row["ours"])} | {ratio:.3f} | 1.01 | '
                     f'{verdict(ratio <= 1.01)} | {in_all:.3f} |')
    return lines + ['']


def translation(result):
    found = result['translation']
    return [f'Of {found["compared"]} translated blocks of a guest without user '
            f'interrupts {len(found["differ"])} differ from those of an '
            'unpatched QEMU.', '']


def counts(result):
    lines = []
    for what, n in result.get('instructions', {}).items():
        lines.append(f'| instructions: {what} | {n:.1f} |')
    for smp, n in result.get('send by vCPUs', {}).items():
        lines.append(f'| instructions: SENDUIPI that notifies, {smp} vCPUs | '
                     f'{n:.1f} |')
    for fast, n in result.get('locks', {}).items():
        lines.append(f'| the BQL taken, {n["notifications"]} notifications '
                     f'between 4 pairs of vCPUs, {fast} | {n["taken"]} |')
    return ['| count | |', '|---|---|'] + lines + [''] if lines else []


def markdown(result):
    host = result['host']
    lines = ['# User interrupts against IPIs and IPC', '',
             f'{host["qemu"]}, -accel {host["accel"]} '
             f'{" ".join(host["arguments"])}', '',
             f'{host["cpus"]} CPUs: {host["cpu"]}; load before: '
             f'{host["load before"]}, after: {result["load after"]}', '']
    for reason in result['refused']:
        lines += [f'No times: {reason}.', '']
    if 'ours' in result:
        lines += ['Medians of all runs, with the least and the greatest.', '']
        lines += figures(result) + slow(result) + latencies(result)
    if result.get('ipc'):
        lines += ipc(result) + jobs(result)
    lines += translation(result)
    lines += counts(result.get('counts', {}))
    return '\n'.join(lines)


HISTOGRAM = '''set terminal svg size 800,400
set output '{output}'
set logscale x
set xlabel 'nanoseconds'
set ylabel 'rounds'
set key outside
set style fill transparent solid 0.4 noborder
bin(x) = 10 ** (floor(log10(x) * 25) / 25.0)
plot {files}
'''
BARS = '''set terminal svg size 800,400
set output '{output}'
set style data histogram
set style fill solid noborder
set ylabel 'round trip, to user interrupts = 1'
set yrange [0:]
plot '{data}' using 2:xtic(1) title 'emulated', '' using 3 title 'silicon'
'''


def gnuplot(script, folder, name):
    path = os.path.join(folder, name + '.gp')
    with open(path, 'w') as f:
        f.write(script)
    subprocess.run(['gnuplot', path], check=True, cwd=folder)


def plots(result, folder, say):
    """SVG files; a short run draws a made-up curve, to see that it can"""
    if not shutil.which('gnuplot'):
        say('no plots: install gnuplot (package gnuplot-nox)')
        return
    samples = {}
    for side in 'stock', 'ours':
        samples.update(result.get(side, {}).get('samples', {}))
    samples = samples or {'example': list(range(100, 200))}
    files = []
    for name, values in samples.items():
        with open(os.path.join(folder, name + '.dat'), 'w') as f:
            f.writelines(f'{v}\n' for v in values)
        files.append(f"'{name}.dat' using (bin($1)):(1) smooth frequency "
                     f"with steps title '{name}' noenhanced")
    gnuplot(HISTOGRAM.format(output='latency.svg', files=', '.join(files)),
            folder, 'latency')
    rows = ipc_rows(result) if result.get('ipc') else [('example', 1, 1, 1)]
    with open(os.path.join(folder, 'ipc.dat'), 'w') as f:
        f.writelines(f'{kind} {ratio} {intel}\n'
                     for kind, _, ratio, intel in rows)
    gnuplot(BARS.format(output='ipc.svg', data='ipc.dat'), folder, 'ipc')
