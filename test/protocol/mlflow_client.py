"""What people do with the mlflow client, against MLFLOW_TRACKING_URI; ends with "done"."""

import json
import math
import os
import tempfile

import mlflow
import numpy
import pandas
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LogisticRegression

PREFIX = os.environ["TEST_PREFIX"]
client = MlflowClient()


def refused(code, work):
    try:
        work()
    except MlflowException as error:
        assert error.error_code == code, (error.error_code, str(error))
        return str(error)
    raise AssertionError(f"{code} was due")


# Experiments.
experiment = mlflow.set_experiment(f"{PREFIX}-one")
assert mlflow.set_experiment(f"{PREFIX}-one").experiment_id == experiment.experiment_id
refused("RESOURCE_ALREADY_EXISTS", lambda: client.create_experiment(f"{PREFIX}-one"))
refused("RESOURCE_DOES_NOT_EXIST", lambda: client.get_experiment("999999"))
assert client.get_experiment_by_name(f"{PREFIX}-none") is None
client.set_experiment_tag(experiment.experiment_id, "team", "vision")
other = client.create_experiment(f"{PREFIX}-two", tags={"team": "speech"})
found = client.search_experiments(filter_string=f"name LIKE '{PREFIX}-%' AND tags.team = 'vision'")
assert [one.name for one in found] == [f"{PREFIX}-one"], found
by_name = client.search_experiments(filter_string=f"name LIKE '{PREFIX}-%'", order_by=["name DESC"])
assert [one.name for one in by_name] == [f"{PREFIX}-two", f"{PREFIX}-one"], by_name
client.rename_experiment(other, f"{PREFIX}-renamed")
client.delete_experiment(other)
assert client.get_experiment(other).lifecycle_stage == "deleted"
refused("INVALID_PARAMETER_VALUE", lambda: client.create_run(other))
client.restore_experiment(other)
assert client.get_experiment(other).name == f"{PREFIX}-renamed"
refused("INVALID_PARAMETER_VALUE", lambda: client.create_experiment(f"{PREFIX}-x", artifact_location="/etc"))

# A run with everything that is logged.
with mlflow.start_run(run_name="parent", tags={"kind": "parent"}) as parent:
    mlflow.log_param("lr", 0.1)
    mlflow.log_params({"depth": 3, "name": "a b/c"})
    mlflow.log_param("lr", 0.1)
    refused("INVALID_PARAMETER_VALUE", lambda: mlflow.log_param("lr", 0.2))
    for step in range(5):
        mlflow.log_metric("loss", 1.0 / (step + 1), step=step)
    mlflow.log_metrics({"nan": math.nan, "inf": math.inf, "minus": -math.inf}, step=1)
    mlflow.set_tag("stage", "test")
    mlflow.log_text("hello", "notes/hello.txt")
    mlflow.log_dict({"a": [1, 2]}, "conf/a.json")
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(f"{folder}/deep/er")
        for name in ("a.txt", "deep/b.txt", "deep/er/c with space.txt"):
            with open(f"{folder}/{name}", "w") as file:
                file.write(name)
        mlflow.log_artifacts(folder, "tree")
        mlflow.log_artifact(f"{folder}/a.txt")
    frame = pandas.DataFrame({"x": [1.0, 2.0], "y": [0, 1]})
    mlflow.log_input(mlflow.data.from_pandas(frame, name="frame", source="memory"), context="training")
    try:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plot

        figure = plot.figure()
        plot.plot([1, 2])
        mlflow.log_figure(figure, "figures/line.png")
    except ImportError:
        pass
    with mlflow.start_run(nested=True, run_name="child") as child:
        mlflow.log_metric("loss", 9)

run = client.get_run(parent.info.run_id)
assert run.info.status == "FINISHED" and run.info.run_name == "parent" and run.info.end_time >= run.info.start_time
assert run.data.params == {"lr": "0.1", "depth": "3", "name": "a b/c"}, run.data.params
assert run.data.metrics["loss"] == 0.2 and math.isnan(run.data.metrics["nan"]), run.data.metrics
assert run.data.metrics["inf"] > 1e308 and run.data.metrics["minus"] < -1e308
assert run.data.tags["stage"] == "test" and run.data.tags["kind"] == "parent"
assert run.inputs.dataset_inputs[0].dataset.name == "frame"
assert client.get_run(child.info.run_id).data.tags["mlflow.parentRunId"] == parent.info.run_id
history = client.get_metric_history(parent.info.run_id, "loss")
assert [(one.step, one.value) for one in history] == [(step, 1.0 / (step + 1)) for step in range(5)], history
assert {one.path for one in client.list_artifacts(parent.info.run_id)} >= {"a.txt", "conf", "notes", "tree"}
assert [one.path for one in client.list_artifacts(parent.info.run_id, "tree/deep")] == ["tree/deep/b.txt", "tree/deep/er"]
assert mlflow.artifacts.load_dict(f"runs:/{parent.info.run_id}/conf/a.json") == {"a": [1, 2]}
with tempfile.TemporaryDirectory() as folder:
    path = mlflow.artifacts.download_artifacts(run_id=parent.info.run_id, artifact_path="tree", dst_path=folder)
    assert open(f"{path}/deep/er/c with space.txt").read() == "deep/er/c with space.txt"

# Batches and their limits.
batch = client.create_run(experiment.experiment_id, run_name="batch")
metrics = [Metric(f"m{i % 7}", i / 3, 1000 + i, i) for i in range(900)]
client.log_batch(batch.info.run_id, metrics, [Param(f"p{i}", str(i)) for i in range(50)], [RunTag("t", "1")])
client.log_batch(batch.info.run_id, metrics)
assert len(client.get_metric_history(batch.info.run_id, "m0")) == 129
assert len(client.get_run(batch.info.run_id).data.params) == 50
run_id = batch.info.run_id
refused("INVALID_PARAMETER_VALUE", lambda: client.log_param(run_id, "../up", 1))
refused("INVALID_PARAMETER_VALUE", lambda: client.log_metric(run_id, "k" * 251, 1))
client.set_tag(run_id, "gone", "1")
client.delete_tag(run_id, "gone")
refused("RESOURCE_DOES_NOT_EXIST", lambda: client.delete_tag(run_id, "gone"))
client.update_run(run_id, name="renamed", status="KILLED")
assert client.get_run(run_id).info.run_name == "renamed" and client.get_run(run_id).info.status == "KILLED"
client.set_terminated(run_id)
client.delete_run(run_id)
assert client.get_run(run_id).info.lifecycle_stage == "deleted"
refused("INVALID_PARAMETER_VALUE", lambda: client.log_metric(run_id, "m", 1))
client.restore_run(run_id)
refused("RESOURCE_DOES_NOT_EXIST", lambda: client.get_run("0" * 32))

# Searches.
search = client.create_experiment(f"{PREFIX}-search")
for number in range(25):
    one = client.create_run(search, run_name=f"run-{number:02}", tags={"parity": "even" if number % 2 == 0 else "odd"})
    client.log_param(one.info.run_id, "number", number)
    if number != 3:
        client.log_metric(one.info.run_id, "score", math.nan if number == 4 else number / 10)


def names(filter_string="", order_by=None, view=ViewType.ACTIVE_ONLY, limit=100):
    return [one.info.run_name for one in client.search_runs([search], filter_string, view, limit, order_by)]


assert len(names()) == 25
assert names("metrics.score > 2.25 and tags.parity = 'odd'") == ["run-23"]
assert names("params.number = '7'") == ["run-07"]
assert names("attributes.run_name LIKE 'run-0%' and tags.`parity` != 'even'", ["attributes.run_name ASC"]) == [
    "run-01", "run-03", "run-05", "run-07", "run-09"]
assert names("tags.parity ILIKE 'ODD' and metrics.score <= 0.1") == ["run-01"]
ordered = names(order_by=["metrics.score DESC"])
assert ordered[0] == "run-24" and ordered[-2:] == ["run-04", "run-03"], ordered
ordered = names(order_by=["metrics.score ASC"])
assert ordered[0] == "run-00" and ordered[-2:] == ["run-04", "run-03"], ordered
ids = [one.info.run_id for one in client.search_runs([search], max_results=2)]
assert len(client.search_runs([search], f"attributes.run_id IN ('{ids[0]}', '{ids[1]}')")) == 2
for wrong in ("metrics.score > 'x'", "metrics.score > 1 OR metrics.score < 0", "nothing.a = 1", "tags.a >", "params.a > '1'"):
    refused("INVALID_PARAMETER_VALUE", lambda wrong=wrong: names(wrong))
pages, token = [], None
while True:
    page = client.search_runs([search], max_results=10, page_token=token)
    pages += [one.info.run_id for one in page]
    token = page.token
    if not token:
        break
assert len(pages) == 25 and len(set(pages)) == 25
table = mlflow.search_runs(experiment_ids=[search], filter_string="metrics.score >= 2.0")
assert len(table) == 5 and "metrics.score" in table.columns

# Models: autolog, log_model, registry, aliases, loading.
mlflow.sklearn.autolog(log_input_examples=False)
features = numpy.array([[0.0], [1.0], [2.0], [3.0]])
with mlflow.start_run(run_name="sklearn") as trained:
    model = LogisticRegression().fit(features, [0, 0, 1, 1])
mlflow.sklearn.autolog(disable=True)
auto = client.get_run(trained.info.run_id)
assert auto.data.params["C"] == "1.0" and "training_accuracy_score" in auto.data.metrics, auto.data
with mlflow.start_run(run_name="registers") as registering:
    info = mlflow.sklearn.log_model(model, name="clf", registered_model_name=f"{PREFIX}-clf", input_example=features[:1])
name = f"{PREFIX}-clf"
logged = client.get_logged_model(info.model_id)
assert str(logged.status) == "READY" and logged.source_run_id == registering.info.run_id, logged
assert [one.model_id for one in client.search_logged_models([experiment.experiment_id], "name = 'clf'")] == [info.model_id]
client.set_logged_model_tags(info.model_id, {"quality": "fair"})
assert client.get_logged_model(info.model_id).tags["quality"] == "fair"
client.set_registered_model_alias(name, "champion", 1)
loaded = mlflow.sklearn.load_model(f"models:/{name}@champion")
assert list(loaded.predict(features)) == [0, 0, 1, 1]
assert list(mlflow.pyfunc.load_model(f"models:/{name}/1").predict(features)) == [0, 0, 1, 1]
assert client.get_model_version_by_alias(name, "champion").version in (1, "1")
second = mlflow.register_model(f"models:/{info.model_id}", name)
assert int(second.version) == 2
third = client.create_model_version(name, f"runs:/{registering.info.run_id}/clf", registering.info.run_id)
assert int(third.version) == 3
client.set_model_version_tag(name, "2", "checked", "yes")
client.update_model_version(name, "2", description="the second")
client.set_registered_model_tag(name, "owner", "me")
client.update_registered_model(name, description="classifies")
assert client.get_registered_model(name).description == "classifies"
assert {int(one.version) for one in client.search_model_versions(f"name = '{name}'")} == {1, 2, 3}
assert [int(one.version) for one in client.search_model_versions(f"name = '{name}' and tags.checked = 'yes'")] == [2]
assert [one.name for one in client.search_registered_models(f"name LIKE '{PREFIX}%'")] == [name]
client.delete_model_version(name, "3")
fourth = client.create_model_version(name, f"models:/{info.model_id}", registering.info.run_id)
assert int(fourth.version) == 4, "numbers are never given twice"
refused("INVALID_PARAMETER_VALUE", lambda: client.set_registered_model_alias(name, "latest", 1))
refused("RESOURCE_DOES_NOT_EXIST", lambda: client.get_model_version(name, "99"))
refused("RESOURCE_ALREADY_EXISTS", lambda: client.create_registered_model(name))
client.delete_registered_model_alias(name, "champion")
refused("INVALID_PARAMETER_VALUE", lambda: client.get_model_version_by_alias(name, "champion"))
client.rename_registered_model(name, f"{name}-2")
assert list(mlflow.sklearn.load_model(f"models:/{name}-2/1").predict(features)) == [0, 0, 1, 1]


class Doubles(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input * 2


with mlflow.start_run():
    doubles = mlflow.pyfunc.log_model(name="doubles", python_model=Doubles())
assert mlflow.pyfunc.load_model(doubles.model_uri).predict(pandas.DataFrame({"a": [2]}))["a"][0] == 4
client.delete_logged_model(doubles.model_id)
refused("RESOURCE_DOES_NOT_EXIST", lambda: client.get_logged_model(doubles.model_id))
client.delete_registered_model(f"{name}-2")
print(json.dumps({"run": parent.info.run_id, "registering": registering.info.run_id, "experiment": experiment.experiment_id}))
print("done")
