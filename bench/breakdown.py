#!/usr/bin/env python3
"""Splits the CPU time of one request by what it was spent on, for docs/performance.md.

    perf record -F 2500 -g -p PID -o perf.data -- sleep 5        while ./flotilla bench runs
    bench/breakdown.py perf.data MICROSECONDS_PER_REQUEST [--symbols]

Each sample counts for the first rule that matches: kernel time by the system call it happened in, our own time by the
function it was sampled in. --symbols lists the functions behind each row.
"""

import argparse
import collections
import re
import subprocess

# (row, pattern of any frame's symbol): kernel samples, outermost meaning first.
KERNEL = [
    ("kernel: waking up the reader", r"^(sock_def_readable|__wake_up|ep_poll_callback)"),
    ("kernel: send, the receiving half (loopback delivers inside send)", r"^(process_backlog|__napi_poll|net_rx_action)"),
    ("kernel: send, the sending half", r"^(__x64_sys_sendto|__x64_sys_sendmsg|__sys_sendto|__sys_sendmsg)"),
    ("kernel: recv", r"^(__x64_sys_recvfrom|__sys_recvfrom)"),
    ("kernel: epoll_wait", r"^(__x64_sys_epoll_wait|do_epoll_wait)"),
    ("kernel: other system calls and interrupts", r""),
]
# (row, pattern of the sampled symbol): our samples.
OURS = [
    ("parsing heads and bodies", r"HeadParser|RequestParser|ResponseParser|BodyDecoder|is_field_value|is_token|"
     r"token_prefix|is_authority|is_origin|known_field|trim|same_text|MessageFraming|mem(r)?chr|ReadBuffer"),
    ("writing heads", r"encode_|append_f|append_number|Sender|Headers|FixedText|write_hex|to_http_date"),
    ("JSON", r"json::|TypeDescriptor|descriptor_of|simdjson|charconv|to_chars"),
    ("trace, ids, deadlines, timers", r"Trace|trace_|Context|Timer|random|uuid|new_id|request_context|time_allowed|"
     r"CancelHook|Deadline|clock"),
    ("metrics, access log and account of time", r"Histogram|Counter|Gauge|Recorder|record|duration_of|Logger|spdlog|"
     r"TimeSpent|SlowRequest|ActiveRequest"),
    ("routing, upstreams, forwarding", r"gateway::|Router|Registry|split_path|percent_|Pool|http::Client::|binding|"
     r"Pipeline"),
    ("the loop, streams, system call entry", r"Reactor|SocketStream|Descriptor::|IoOperation|Wakeup|World|send$|recv|"
     r"epoll|async_cancel|syscall|asynccancel"),
    ("connections: server and client", r"ServerConnection|ClientConnection|Exchange|Server::"),
    ("coroutine frames and memory", r"frame|malloc|free|operator new|operator delete|tcache|memmove|memcpy|memset|"
     r"basic_string|memcmp"),
    ("other", r""),
]


def samples(data):
    """The stacks of a recording, innermost frame first: (symbol, is it the kernel's)."""
    text = subprocess.run(["perf", "script", "-i", data, "-F", "ip,sym,dso"], capture_output=True, text=True, check=True)
    for block in text.stdout.split("\n\n"):
        stack = []
        for line in block.strip().splitlines():
            match = re.match(r"\s*[0-9a-f]+ (.*) \((.*)\)$", line)
            if match:
                stack.append((match[1], "kernel" in match[2] or "vmlinux" in match[2]))
        if stack:
            yield stack


def row_of(stack):
    symbol, in_kernel = stack[0]
    if in_kernel:
        # Outermost meaning: a wake-up inside a send is a wake-up.
        return next(row for row, pattern in KERNEL if any(re.search(pattern, name) for name, _ in stack))
    return next(row for row, pattern in OURS if re.search(pattern, symbol))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("microseconds", type=float)
    parser.add_argument("--symbols", action="store_true")
    arguments = parser.parse_args()
    rows, symbols = collections.Counter(), collections.defaultdict(collections.Counter)
    for stack in samples(arguments.data):
        row = row_of(stack)
        rows[row] += 1
        symbols[row][stack[0][0]] += 1
    total = sum(rows.values())
    print("| spent on | µs/request | share |\n|---|---|---|")
    for row, _ in KERNEL + OURS:
        if not rows[row]:
            continue
        share = rows[row] / total
        print(f"| {row} | {share * arguments.microseconds:.2f} | {share * 100:.0f} % |")
        if arguments.symbols:
            for symbol, count in symbols[row].most_common(12):
                print(f"|   {symbol[:90]} | {count / total * arguments.microseconds:.3f} | |")
    print(f"| all ({total} samples) | {arguments.microseconds:.2f} | 100 % |")


if __name__ == "__main__":
    main()
