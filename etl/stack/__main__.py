"""python -m etl.stack up | down | status | env | reset"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from etl.errors import EtlError, UsageError
from etl.names import let_output_hold_anything
from etl.project import DEFAULT_CONFIG_DIR
from etl.stack import environment
from etl.stack.embedded import SERVER_NAMES, Stack
from etl.stack.layout import default_layout

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NOT_UP = 3


def main(arguments: Sequence[str] | None = None) -> int:
    let_output_hold_anything()
    options = _parser().parse_args(arguments)
    try:
        return int(options.action(Stack(default_layout(), say=_say), options))
    except UsageError as error:
        _say(f"error: {error}")
        return EXIT_USAGE
    except (EtlError, OSError) as error:
        _say(f"error: {error}")
        return EXIT_FAILED


def _up(stack: Stack, options: argparse.Namespace) -> int:
    unknown = set(options.servers) - set(SERVER_NAMES)
    if unknown:
        raise UsageError(f"expected servers among {', '.join(SERVER_NAMES)}, found {', '.join(sorted(unknown))}")
    names: Collection[str] = options.servers or SERVER_NAMES
    if options.missing:
        names = environment.needed_servers(os.environ, options.config_dir, stack.own_servers())
    if names:
        stack.up(names)
        _print_status(stack, names)
    return 0


def _down(stack: Stack, _: argparse.Namespace) -> int:
    stack.down()
    _say("all embedded servers are down; their data is kept")
    return 0


def _status(stack: Stack, _: argparse.Namespace) -> int:
    return 0 if _print_status(stack) else EXIT_NOT_UP


def _env(stack: Stack, options: argparse.Namespace) -> int:
    own = stack.own_servers()
    missing = environment.missing_groups(os.environ, options.config_dir, own)
    wanted = {name for group in (environment.GROUPS if options.all else missing) for name in environment.GROUPS[group]}
    if not wanted:
        return 0
    if own is None:
        raise UsageError("the embedded servers have never been started; run `python -m etl.stack up` first")
    values = environment.variables(own.ports, own.credentials)
    sys.stdout.write(environment.export_lines({name: value for name, value in values.items() if name in wanted}))
    needed = {environment.SERVER_OF_GROUP[group] for group, names in environment.GROUPS.items() if wanted & {*names}}
    for server in stack.status():
        if server.name in needed and not server.is_up:
            _say(f"warning: {server.name} is not up; run `python -m etl.stack up`")
    return 0


def _reset(stack: Stack, _: argparse.Namespace) -> int:
    stack.reset()
    _say("all embedded servers are down and their data is deleted")
    return 0


def _print_status(stack: Stack, names: Collection[str] = SERVER_NAMES) -> bool:
    found = [server for server in stack.status() if server.name in names]
    for server in found:
        state = "up" if server.is_up else "down"
        pids = ",".join(map(str, server.process_ids)) or "-"
        print(f"{server.name:<11} {state:<5} port {server.port:<6} pid {pids:<8} log {server.log_files[0]}")
    return all(server.is_up for server in found)


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m etl.stack",
        description="The embedded PostgreSQL, ClickHouse and S3 servers: on loopback, data in $ETL_DATA_DIR "
        "(default .data/stack beside the code).",
    )
    actions = parser.add_subparsers(required=True, metavar="up|down|status|env|reset")
    up = actions.add_parser("up", help="start what is not running and wait until it answers")
    up.add_argument(
        "servers",
        nargs="*",
        metavar="SERVER",
        help=f"{', '.join(SERVER_NAMES)}; default: all",
    )
    up.add_argument(
        "--missing",
        action="store_true",
        help="only servers that a run would use: those you configured none of your own for, and those you named",
    )
    up.set_defaults(action=_up)
    actions.add_parser("down", help="stop all of them; data is kept").set_defaults(action=_down)
    status = actions.add_parser("status", help=f"exit code 0 when all are up, {EXIT_NOT_UP} otherwise")
    status.set_defaults(action=_status)
    env = actions.add_parser("env", help="print export lines for what you have not configured yourself")
    env.add_argument("--all", action="store_true", help="whatever is configured")
    for action in (up, env):
        action.add_argument("--config-dir", type=Path, default=DEFAULT_CONFIG_DIR, help="where etl.yaml is (conf/)")
    env.set_defaults(action=_env)
    actions.add_parser("reset", help="stop all of them and delete their data").set_defaults(action=_reset)
    return parser


if __name__ == "__main__":
    sys.exit(main())
