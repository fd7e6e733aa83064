"""Asks the server of ``fork_server.py`` for a process and stands in for it: its files, its signals, its exit code.

:func:`forked_python.executable` makes a program of this file; its first lines say where the server is.
"""

import json
import os
import signal
import socket
import sys

SERVER, PYTHON = os.environ["FORK_SERVER"], sys.executable


def main(arguments: list[str]) -> None:
    """Runs ``python ARGUMENTS``."""
    # Other options are the interpreter's own, and what libraries start are processes of their kind.
    if arguments[:1] not in (["-c"], ["-m"]) and (not arguments or arguments[0].startswith("-")):
        os.execv(PYTHON, [PYTHON, *arguments])
    if "--multiprocessing-fork" in arguments or "/site-packages/" in arguments[0]:
        os.execv(PYTHON, [PYTHON, *arguments])
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(SERVER)
    passed_on = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2}
    ignored = [number for number in passed_on if signal.getsignal(number) is signal.SIG_IGN]
    signal.pthread_sigmask(signal.SIG_BLOCK, passed_on)
    for number in passed_on.difference(ignored):
        signal.signal(number, lambda number, _: connection.send(bytes([number])))
    request = {
        "arguments": arguments,
        "cwd": os.getcwd(),  # noqa: PTH109  # pathlib takes longer to import than all else
        "environment": dict(os.environ),
        "executable": sys.argv[0],
        "ignored_signals": ignored,
        "leads_its_group": os.getpgrp() == os.getpid(),
    }
    socket.send_fds(connection, [json.dumps(request).encode() + b"\n"], [0, 1, 2])
    answer = connection.recv(64)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, passed_on)
    for number in range(3):
        os.close(number)
    while answer.count(b"\n") < 2:
        received = connection.recv(64)
        if not received:
            os._exit(70)
        answer += received
    status = int(answer.split()[1])
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


main(sys.argv[1:])
