"""Where every command ends: whatever was raised becomes a line on stderr and an exit code."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

import typer
from typer.core import TyperGroup

from etl.command.exits import Exit
from etl.errors import ConfigurationError, EtlError, NotYetError, UsageError
from etl.names import let_output_hold_anything
from etl.redaction import redact


class Ended(KeyboardInterrupt):
    """A signal ended the work. SIGTERM is what whoever stops services says: that ends it as Ctrl-C does."""

    def __init__(self, number: int, said: str = "") -> None:
        super().__init__(said)
        self.number = number


def say(text: str) -> None:
    """On stderr; where that is closed, to nobody."""
    with suppress(OSError, ValueError, AttributeError):  # as after `2>&-`
        sys.stderr.write(text + "\n")


def exit_of(error: EtlError) -> Exit:
    if isinstance(error, NotYetError):
        return Exit.NOT_YET
    return Exit.USAGE if isinstance(error, UsageError | ConfigurationError) else Exit.FAILED


@dataclass(frozen=True)
class Edge:
    """`exit_of` an error of ours; `tell` says why a command ended; `what_stays` of one that a signal ended."""

    exit_of: Callable[[EtlError], Exit] = exit_of
    tell: Callable[[str, Exit], None] = lambda text, _: say(text)
    what_stays: str = ""

    def exit_code(self, work: Callable[[], int | None]) -> int:
        """The work's own, or that of what it raised; what typer raises is its own business."""
        try:
            code = work() or Exit.DONE
            if sys.stdout is not None:  # as after `>&-`
                sys.stdout.flush()
            return code
        except (typer.TyperException, typer.Exit, typer.Abort):
            raise
        except ConfigurationError as error:
            # it names keys and never their values; masking would take what stands behind a key for its value
            return self._told(error.message, self.exit_of(error))
        except EtlError as error:
            return self._told(redact(error.message), self.exit_of(error))
        except OSError as error:
            if isinstance(error, BrokenPipeError) and _is_stdout_closed():  # as in `… list | head`
                give_up_stdout()
                return Exit.FAILED
            return self._told(redact(str(error)), Exit.FAILED)
        except KeyboardInterrupt as error:
            return self._ended(error)
        except ModuleNotFoundError as error:
            text = not_installed(error, "this", "scripts/setup.sh")
            return self._told(text, Exit.USAGE) if text else _unexpected()
        except Exception:  # noqa: BLE001 - whatever it is, it ends here, and in the log
            return _unexpected()

    def _ended(self, error: KeyboardInterrupt) -> Exit:
        is_terminated = isinstance(error, Ended) and error.number == signal.SIGTERM
        how = str(error) or ("terminated" if is_terminated else "interrupted")
        text = f"{how}; {self.what_stays}" if self.what_stays else how
        return self._told(text, Exit.TERMINATED if is_terminated else Exit.INTERRUPTED)

    def _told(self, text: str, code: Exit) -> Exit:
        self.tell(text, code)
        return code


class Tool(TyperGroup):
    """The commands of a tool, which return an exit code or nothing."""

    edge: ClassVar[Edge] = Edge()

    def invoke(self, ctx: Any) -> None:
        code = self.edge.exit_code(lambda: super(Tool, self).invoke(ctx))
        if code:
            raise typer.Exit(code)


def tool(text: str | None, edge: Edge | None = None, **settings: Any) -> typer.Typer:
    """An app that looks and ends like all others; `text` is its help."""
    group = type("Tool", (Tool,), {"edge": edge}) if edge else Tool
    like_all = {"cls": group, "no_args_is_help": True, "add_completion": False, "pretty_exceptions_enable": False}
    return typer.Typer(help=text, **{**like_all, **settings})


def run_tool(app: typer.Typer, program: str, arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs a tool as the process that it is. `program` is what the user typed before the arguments."""
    let_output_hold_anything()
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        sys.exit(app(arguments, prog_name=program, standalone_mode=False) or Exit.DONE)
    except typer.TyperException as error:  # it may quote an argument, and that a password
        if error.format_message():  # empty where there was no argument at all, and help was shown
            context = getattr(error, "ctx", None)
            path = context.command_path if context else program
            say(redact(f"{path}: {error.format_message()}\nTry '{path} --help'."))
        sys.exit(Exit.USAGE)
    except typer.Abort:
        sys.exit(Exit.INTERRUPTED)
    finally:
        signal.signal(signal.SIGTERM, before)


def _is_stdout_closed() -> bool:
    """By whoever read from it."""
    with suppress(OSError, ValueError, AttributeError):
        watched = select.poll()
        watched.register(sys.stdout.fileno(), 0)
        return any(event & select.POLLERR for _, event in watched.poll(0))
    return False


def give_up_stdout() -> None:
    """So that its end, which would try to write what is left, does not change the exit code."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def not_installed(error: ModuleNotFoundError, what: str, set_up: str) -> str:
    """One line with the command that installs it; empty where the module is one of ours."""
    missing = (error.name or "etl").partition(".")[0]
    return "" if missing == "etl" else f"{what} needs {missing}, which is not installed; run {set_up}"


def _unexpected() -> Exit:
    """Logged with its traceback, through the log's masking."""
    # a third of what `etl --help` would take to start
    import structlog

    from etl.command.logging import configure_logging, default_log_format

    if not structlog.is_configured():
        configure_logging(default_log_format())
    structlog.get_logger(__name__).exception("unexpected error")
    return Exit.FAILED


def _terminate(number: int, _: object) -> NoReturn:
    raise Ended(number)
