"""`etl orchestrator`: jobs on schedule, in the order of their dependencies.

Exit codes: 0 done, 1 something failed, 2 bad use or configuration, 130 interrupted, 143 terminated.
"""

from __future__ import annotations

from etl.command.edge import run_tool, tool
from etl.orchestrator.command import (
    alert,
    backfill,
    bench,
    doctor,
    import_,
    job,
    lock,
    migrate,
    run,
    schedule,
    scheduler,
    up,
    worker,
)

app = tool(__doc__)

# groups of commands: `app.add_typer(group.app, name=…)`; single commands: `module.register(app)`
app.add_typer(job.app, name="job")
app.add_typer(run.app, name="run")
app.add_typer(lock.app, name="lock")
app.add_typer(schedule.app, name="schedule")
app.add_typer(alert.app, name="alert")
backfill.register(app)
doctor.register(app)
import_.register(app)
migrate.register(app)
scheduler.register(app)
worker.register(app)
up.register(app)
bench.register(app)

if __name__ == "__main__":
    run_tool(app, "python -m etl.orchestrator")
