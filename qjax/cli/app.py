"""The command's shape: which commands there are, with which options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="qjax",
    help="Train variational quantum models as whole batches of perturbed circuits.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
runs_app = typer.Typer(
    help="List, show, compare and plot recorded runs; write reports.", no_args_is_help=True
)
app.add_typer(runs_app, name="runs")
models_app = typer.Typer(help="Trained models: list, name, save, export and load them.", no_args_is_help=True)
app.add_typer(models_app, name="models")
sink_app = typer.Typer(help="Replicas of the runs elsewhere.", no_args_is_help=True)
app.add_typer(sink_app, name="sink")
ionq_app = typer.Typer(
    help="IonQ's service, and a server on this machine that speaks its API.", no_args_is_help=True
)
app.add_typer(ionq_app, name="ionq")

RunsDirectory = Annotated[Path, typer.Option("--runs-dir", help="Folder of the run store.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output and nothing else there.")]
Run = Annotated[str, typer.Argument(help='Id of a run, the beginning of one, or "latest".')]
Model = Annotated[str, typer.Argument(help='Alias or id of a model, its run, or "latest".')]
Alias = Annotated[str | None, typer.Option("--name", metavar="ALIAS", help="Also give it this alias.")]
SinkName = Annotated[str, typer.Option("--sink", metavar="SINK", help='"pinecone", or "pinecone:INDEX".')]
Config = Annotated[Path | None, typer.Argument(help="Configuration, a TOML file.")]
Preset = Annotated[
    str | None, typer.Option(help="Start from a preset: fast, balanced, accurate, exact, baseline.")
]
Assignments = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set a key of the configuration.")
]
Executor = Annotated[
    str | None, typer.Option(help="Where circuits run: simulator, cirq, ionq-local or ionq.", metavar="NAME")
]
_RUNS = Path("runs")


@app.command()
def train(
    config: Config = None,
    preset: Preset = None,
    assignments: Assignments = None,
    executor: Executor = None,
    budget: Annotated[
        float | None,
        typer.Option(metavar="SUM", help="Stop before the run costs more, in the service's unit."),
    ] = None,
    resubmit: Annotated[
        bool,
        typer.Option(
            "--resubmit",
            help="Send a job again that the service does not show after a broken connection; by default the "
            "run stops and says so.",
        ),
    ] = False,
    resume: Annotated[
        str | None, typer.Option(metavar="RUN", help="Go on with a run that was broken off.")
    ] = None,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Also train logistic regression and the frozen twin.")
    ] = False,
    plot: Annotated[bool, typer.Option("--plot", help="Also draw loss and accuracy to a PNG file.")] = False,
    sink: Annotated[
        str | None, typer.Option(metavar="SINK", help='Also replicate the run to "pinecone[:INDEX]".')
    ] = None,
    json_output: Json = False,
    runs_directory: RunsDirectory = _RUNS,
) -> None:
    """Train a model from a configuration, a preset, or the defaults."""
    from qjax.cli.train import run_training

    run_training(
        config=config,
        preset_name=preset,
        assignments=assignments or [],
        executor=executor,
        budget=budget,
        resubmit=resubmit,
        resume=resume,
        with_baselines=baselines,
        with_plot=plot,
        sink_name=sink,
        json_output=json_output,
        runs_directory=runs_directory,
    )


@app.command()
def bench(
    suite: Annotated[Path, typer.Argument(help="Suite, a TOML file.")],
    json_output: Json = False,
    runs_directory: RunsDirectory = _RUNS,
) -> None:
    """Train and compare a suite: datasets x models x methods x seeds."""
    from qjax.cli.bench import run_bench

    run_bench(suite, json_output=json_output, runs_directory=runs_directory)


@app.command()
def sync(
    run: Annotated[
        str | None, typer.Argument(help='Id of a run, the beginning of one, or "latest"; all if left out.')
    ] = None,
    sink: SinkName = "pinecone",
    again: Annotated[
        bool, typer.Option("--again", help="Send everything again, as for an index that was made anew.")
    ] = False,
    patience: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long to try where the service does not answer.")
    ] = 300.0,
    json_output: Json = False,
    runs_directory: RunsDirectory = _RUNS,
) -> None:
    """Send what is recorded and not yet replicated."""
    from qjax.cli.sinks import sync_runs

    sync_runs(runs_directory, run, sink, again, patience, json_output)


@app.command()
def verify(
    run: Run = "latest",
    sink: SinkName = "pinecone",
    json_output: Json = False,
    runs_directory: RunsDirectory = _RUNS,
) -> None:
    """Compare the record of a run with its replica, by hash."""
    from qjax.cli.sinks import verify_run

    verify_run(runs_directory, run, sink, json_output)


@sink_app.command("status")
def show_status(json_output: Json = False, runs_directory: RunsDirectory = _RUNS) -> None:
    """Show how far each run has been sent; asks nobody."""
    from qjax.cli.sinks import show_status

    show_status(runs_directory, json_output)


@app.command()
def predict(
    model: Annotated[str, typer.Argument(help='Alias, id, run or "latest", or an exported .json file.')],
    data: Annotated[Path, typer.Argument(help="A CSV file with the columns the model was trained on.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The CSV file to write; standard output if left out."),
    ] = None,
    runs_directory: RunsDirectory = _RUNS,
) -> None:
    """Predict labels and probabilities, or numbers, for the rows of a CSV file."""
    from qjax.cli.models import predict_file

    predict_file(runs_directory, model, data, output)


@app.command()
def replay(run: Run = "latest", json_output: Json = False, runs_directory: RunsDirectory = _RUNS) -> None:
    """Train a run again from its record; exit code 1 where a loss differs in a bit."""
    from qjax.cli.replay import replay_run

    replay_run(runs_directory, run, json_output)


@app.command()
def search(
    query: Annotated[
        str,
        typer.Argument(
            help="Id of a state (latest#state_t46_i3) or a sample (latest#sample_i3), or a .npy file."
        ),
    ],
    run: Annotated[
        list[str] | None, typer.Option("--run", metavar="RUN", help="Search this run; may be given again.")
    ] = None,
    everywhere: Annotated[bool, typer.Option("--all-runs", help="Search all runs.")] = False,
    kind: Annotated[str | None, typer.Option(help="states or samples; by default what was given.")] = None,
    by: Annotated[str | None, typer.Option(help="fidelity or cosine.")] = None,
    count: Annotated[int, typer.Option("--count", "-k", help="How many to find.")] = 10,
    label: Annotated[str | None, typer.Option(help="Only those of this class.")] = None,
    split: Annotated[str | None, typer.Option(help="Only those of this part: train or test.")] = None,
    step: Annotated[int | None, typer.Option(help="Only states after so many steps.")] = None,
    epoch: Annotated[int | None, typer.Option(help="Only states after so many epochs.")] = None,
    sink: Annotated[
        str | None,
        typer.Option(metavar="SINK", help='Search this replica instead: "pinecone", or "pinecone:INDEX".'),
    ] = None,
    json_output: Json = False,
    runs_directory: RunsDirectory = _RUNS,
) -> None:
    """Find the recorded states or samples nearest to a given one."""
    from qjax.cli.search import search

    search(
        runs_directory,
        query,
        runs=run or [],
        everywhere=everywhere,
        kind=kind,
        by=by,
        count=count,
        where={"label": label, "split": split, "step": step, "epoch": epoch},
        sink_name=sink,
        json_output=json_output,
    )


@models_app.command("list")
def list_models(json_output: Json = False, runs_directory: RunsDirectory = _RUNS) -> None:
    """List all models, newest first."""
    from qjax.cli.models import list_models

    list_models(runs_directory, json_output)


@models_app.command("show")
def show_model(
    model: Model = "latest", json_output: Json = False, runs_directory: RunsDirectory = _RUNS
) -> None:
    """Show a model: what it is, what it reached, where it came from."""
    from qjax.cli.models import show_model

    show_model(runs_directory, model, json_output)


@models_app.command("save")
def save_model(run: Run = "latest", name: Alias = None, runs_directory: RunsDirectory = _RUNS) -> None:
    """Keep the model of a run as it stands; finished runs keep theirs by themselves."""
    from qjax.cli.models import save_model

    save_model(runs_directory, run, name)


@models_app.command("promote")
def promote_model(
    model: Model,
    alias: Annotated[str, typer.Argument(help="The name, such as staging or production.")],
    runs_directory: RunsDirectory = _RUNS,
) -> None:
    """Let an alias point to a model from now on."""
    from qjax.cli.models import promote_model

    promote_model(runs_directory, model, alias)


@models_app.command("export")
def export_model(
    model: Model,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file to write.")] = None,
    runs_directory: RunsDirectory = _RUNS,
) -> None:
    """Write a model to one file, without pickle."""
    from qjax.cli.models import export_to_file

    export_to_file(runs_directory, model, output)


@models_app.command("load")
def load_model(
    path: Annotated[Path, typer.Argument(help="A file that `qjax models export` wrote.")],
    name: Alias = None,
    runs_directory: RunsDirectory = _RUNS,
) -> None:
    """Take a model from a file into the run store."""
    from qjax.cli.models import load_from_file

    load_from_file(runs_directory, path, name)


@app.command()
def plan(
    config: Config = None,
    preset: Preset = None,
    assignments: Assignments = None,
    executor: Executor = None,
    json_output: Json = False,
) -> None:
    """Show circuits, jobs, cost and time on hardware of every gradient method; nothing is sent."""
    from qjax.cli.plan import show_plan

    show_plan(
        config=config,
        preset_name=preset,
        assignments=assignments or [],
        executor=executor,
        json_output=json_output,
    )


@app.command()
def explain(
    config: Config = None,
    preset: Preset = None,
    assignments: Assignments = None,
    json_output: Json = False,
) -> None:
    """Show what a step takes on this machine: passes, operations, memory, time; nothing is run."""
    from qjax.cli.explain import show_explanation

    show_explanation(
        config=config, preset_name=preset, assignments=assignments or [], json_output=json_output
    )


@app.command()
def info(json_output: Json = False) -> None:
    """Show versions, devices and the engine in use."""
    from qjax.cli.info import show_info

    show_info(json_output)


@runs_app.command("list")
def list_runs(json_output: Json = False, runs_directory: RunsDirectory = _RUNS) -> None:
    """List all runs, newest first."""
    from qjax.cli.runs import list_runs

    list_runs(runs_directory, json_output)


@runs_app.command("show")
def show_run(run: Run = "latest", json_output: Json = False, runs_directory: RunsDirectory = _RUNS) -> None:
    """Show a run: configuration, circuit, results."""
    from qjax.cli.runs import show_run

    show_run(runs_directory, run, json_output)


@runs_app.command("export")
def export_vectors(
    run: Run = "latest",
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file to write, one JSON object a line.")
    ] = Path("vectors.jsonl"),
    kind: Annotated[
        str, typer.Option(help="samples (a vector for each sample and batch) or states.")
    ] = "samples",
    dimension: Annotated[
        int | None, typer.Option(help="Pad vectors with zeros to so many numbers; as they are by default.")
    ] = None,
    runs_directory: RunsDirectory = _RUNS,
) -> None:
    """Write the record of a run as vectors with ids and metadata, as replicas hold it."""
    from qjax.cli.export import export_vectors

    export_vectors(runs_directory, run, output, kind, dimension)


@runs_app.command("plot")
def plot_run(
    run: Run = "latest",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The PNG file to write.")] = None,
    runs_directory: RunsDirectory = _RUNS,
) -> None:
    """Draw loss and accuracy of a run, by step, to a PNG file."""
    from qjax.cli.runs import plot_run

    plot_run(runs_directory, run, output)


@runs_app.command("diff")
def diff_runs(
    one: Annotated[str, typer.Argument(help='Id of a run, the beginning of one, or "latest".')],
    other: Annotated[str, typer.Argument(help="The run to compare it with.")],
    everything: Annotated[bool, typer.Option("--all", help="Show what they share as well.")] = False,
    json_output: Json = False,
    runs_directory: RunsDirectory = _RUNS,
) -> None:
    """Show two runs side by side, where they differ."""
    from qjax.cli.diff import diff_runs

    diff_runs(runs_directory, one, other, everything, json_output)


@runs_app.command("report")
def report_run(
    run: Run = "latest",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The HTML file to write.")] = None,
    runs_directory: RunsDirectory = _RUNS,
) -> None:
    """Write a run as one HTML file that opens without a network."""
    from qjax.cli.report import report_run

    report_run(runs_directory, run, output)


@ionq_app.command()
def serve(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 for a free one.")] = 8080,
    database: Annotated[Path, typer.Option(help="SQLite file that holds the jobs.")] = Path(
        "ionq-jobs.sqlite"
    ),
    api_key: Annotated[str, typer.Option(help="Key that clients of this server use.")] = "local",
    queue_seconds: Annotated[float, typer.Option(help="How long every job waits before it starts.")] = 0.0,
    seconds_per_circuit: Annotated[float, typer.Option(help="How long each circuit of a job runs.")] = 0.0,
    concurrency: Annotated[
        int | None, typer.Option(help="How many jobs run at the same time; by default all.")
    ] = None,
    virtual_clock: Annotated[
        bool, typer.Option("--virtual-clock", help="Write the latency down without waiting for it.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of shots and faults.")] = 0,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND[:KEY=VALUE,...]",
            help="Let something go wrong, for example error_after:probability=0.1,on=submit; "
            "kinds: rate_limit, error_before, error_after, drop_before, drop_after, slow, late_listing, "
            "fail_children, cancel, reorder, next_null.",
        ),
    ] = None,
) -> None:
    """Serve IonQ's API on this machine, for cirq-ionq, qiskit-ionq, pennylane-ionq and this project."""
    from qjax.cli.ionq import serve

    serve(
        port=port,
        database=database,
        api_key=api_key,
        queue_seconds=queue_seconds,
        seconds_per_circuit=seconds_per_circuit,
        concurrency=concurrency,
        virtual_clock=virtual_clock,
        seed=seed,
        faults=fault or [],
    )
