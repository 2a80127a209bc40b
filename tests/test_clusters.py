"""docs/clusters.md: what it gives to schedulers is well formed, and its TF_CONFIG is one that training takes."""

import configparser
import json
import os
import re
import subprocess
import sys

import pytest
import yaml

import main
from flags import flag_files
from flags.modes import MODES
from flags.spec import define
from tagger.training.distribution import worker_and_count
from tests.conftest import ROOT

CLUSTER = ROOT / "configs" / "cluster"


def _tf_config(**environment):
    """TF_CONFIG after sourcing tf_config.sh in `environment`, and the process."""
    shown = subprocess.run(["bash", "-ec", f". {CLUSTER / 'tf_config.sh'}; printf %s \"$TF_CONFIG\""],
                           env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True, check=False)
    return shown.stdout, shown


def _slurm(tmp_path, rank):
    tool = tmp_path / "scontrol"  # Slurm's own, which is not here, prints a node a line
    tool.write_text('#!/bin/sh\n[ "$1 $2 $3" = "show hostnames gpu[07-08]" ] && printf "gpu07\\ngpu08\\n"\n')
    tool.chmod(0o755)
    return {"SLURM_JOB_NODELIST": "gpu[07-08]", "SLURM_PROCID": str(rank), "PATH": f"{tmp_path}:{os.environ['PATH']}"}


@pytest.mark.parametrize("rank", [0, 1])
def test_tf_config_of_slurm(tmp_path, rank, monkeypatch):
    text, _ = _tf_config(**_slurm(tmp_path, rank))
    assert json.loads(text)["cluster"] == {"worker": ["gpu07:2222", "gpu08:2222"]}
    monkeypatch.setenv("TF_CONFIG", text)
    assert worker_and_count() == (rank, 2)


def test_tf_config_of_kubernetes(monkeypatch):
    job = list(yaml.safe_load_all((CLUSTER / "train.yaml").read_text()))[1]
    [container] = job["spec"]["template"]["spec"]["containers"]
    given = {variable["name"]: variable["value"] for variable in container["env"]}
    text, _ = _tf_config(**given, JOB_COMPLETION_INDEX="1", PORT="3333")
    assert json.loads(text)["cluster"] == {"worker": ["tagger-0.tagger-workers:3333", "tagger-1.tagger-workers:3333"]}
    monkeypatch.setenv("TF_CONFIG", text)
    assert worker_and_count() == (1, 2)


def test_outside_a_scheduler_it_says_so():
    _, shown = _tf_config()
    assert shown.returncode == 1 and "SLURM_JOB_NODELIST" in shown.stderr


def test_kubernetes_names_fit_together():
    service, job = yaml.safe_load_all((CLUSTER / "train.yaml").read_text())
    pod = job["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert pod["subdomain"] == service["metadata"]["name"] and service["spec"]["selector"] == {
        "job-name": job["metadata"]["name"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert job["spec"]["completions"] == job["spec"]["parallelism"] == int(container["env"][0]["value"])
    [rule] = job["spec"]["podFailurePolicy"]["rules"]
    assert rule["onExitCodes"] == {"containerName": container["name"], "operator": "In", "values": [1]}


def test_kubernetes_makes_the_records_that_it_trains_on(capsys):
    claim, shell, records = yaml.safe_load_all((CLUSTER / "records.yaml").read_text())
    training_job = list(yaml.safe_load_all((CLUSTER / "train.yaml").read_text()))[1]
    [training] = training_job["spec"]["template"]["spec"]["containers"]
    assert claim["kind"] == "PersistentVolumeClaim" and claim["spec"]["accessModes"] == ["ReadWriteMany"]
    for pod in (shell["spec"], records["spec"]["template"]["spec"]):
        [container] = pod["containers"]
        assert container["image"] == training["image"] and container["volumeMounts"] == training["volumeMounts"]
        assert {volume["name"] for volume in pod["volumes"]} == {mount["name"] for mount in container["volumeMounts"]}
        assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    [rule] = records["spec"]["podFailurePolicy"]["rules"]
    assert rule["onExitCodes"] == {"containerName": container["name"], "operator": "In", "values": [1]}
    page = (ROOT / "docs" / "clusters.md").read_text()
    commands = [line.split() for line in re.findall(r"^    kubectl exec tagger-shell -- tagger (.*)$", page, re.M)]
    assert len(commands) == 2
    for arguments in (container["args"], *commands):
        local = [argument.replace("/cluster/", f"{ROOT}/configs/") for argument in arguments]
        assert main.main(["tagger", *local, "--help"]) == 0, capsys.readouterr().err
        folders = {argument for argument in arguments if argument.startswith(("--records_dir=", "--run_dir="))}
        assert folders and folders <= set(training["args"][0].split())
    steps = re.findall(r"--selector=step=(\w+)", page)
    assert steps == [shell["metadata"]["labels"]["step"], records["metadata"]["labels"]["step"]]


def test_containerfile_is_well_formed_and_copies_what_the_package_needs():
    text = re.sub(r"^#.*\n", "", (CLUSTER / "Containerfile").read_text(), flags=re.M).replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    assert {name for name, _ in lines} <= {"ARG", "FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "CMD"}
    assert lines[:2] == [["ARG", "BASE"], ["FROM", "${BASE}"]] and [name for name, _ in lines].count("FROM") == 1
    for name, value in lines:
        if name == "CMD":
            assert json.loads(value)[0] == "tagger"
        if name == "RUN":
            subprocess.run(["bash", "-nc", value], check=True)
    sources = [source for name, value in lines if name == "COPY" for source in value.split()[:-1]]
    assert all((ROOT / source).exists() for source in sources)
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    needed = {folder.strip("*") for folder in setup["options.packages.find"]["include"].split()}
    needed |= {"setup.cfg", "pyproject.toml", "main.py", "README.md", setup["metadata"]["license_files"]}
    assert needed == set(sources)
    [extra] = re.findall(r"\.\[(\w+)\]", text)
    assert extra in setup["options.extras_require"]
    [build] = re.findall(r"^    (docker build .*)$", (ROOT / "docs" / "clusters.md").read_text(), re.M)
    job = list(yaml.safe_load_all((CLUSTER / "train.yaml").read_text()))[1]
    assert build.split()[-2] == job["spec"]["template"]["spec"]["containers"][0]["image"]


@pytest.mark.parametrize("script", ["tf_config.sh", "train.sbatch"])
def test_scripts_are_sound_bash(script):
    subprocess.run(["bash", "-n", str(CLUSTER / script)], check=True)


@pytest.mark.parametrize(("codes", "again"), [
    ((0, 0), False), ((1, 75), False), ((75, 1), False), ((75, 75), True), ((143, 143), True), ((137, 75), True)])
def test_slurm_requeues_unless_a_worker_ended_with_1(tmp_path, codes, again):
    """With stand-ins for Slurm, and for a training that SIGTERM ends: it reaches the shell around it as well."""
    tools = {
        "srun": 'shift; worst=0; for SLURM_PROCID in 0 1; do export SLURM_PROCID; "$@"; code=$?\n'
                '[ $code -gt $worst ] && worst=$code; done; exit $worst',
        "scontrol": '[ "$1" = show ] && printf "gpu07\\ngpu08\\n" || echo "$@" >> requeued',
        "tagger": f'echo "$@" >> started; kill -TERM $PPID; set -- {codes[0]} {codes[1]}; shift $SLURM_PROCID; exit $1'}
    for name, text in tools.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    shown = subprocess.run(
        ["bash", str(CLUSTER / "train.sbatch")], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "gpu[07-08]"})
    assert shown.returncode == max(codes), shown.stderr
    assert (tmp_path / "started").read_text() == 2 * "--mode=train --flagfile=configs/two_hosts.flags\n"
    assert (tmp_path / "requeued").exists() == again
    assert not list(tmp_path.glob("exit-codes-*"))


def test_two_hosts_follow_the_recipe_of_one_in_a_folder_of_their_own(monkeypatch):
    monkeypatch.chdir(ROOT)
    one, two = (dict(line.split("=", 1) for line in flag_files.split([f"--flagfile=configs/{name}.flags"])[0])
                for name in ("coco_8gpu", "two_hosts"))
    differing = {name for name in two if two[name] != one.get(name)}
    assert differing == {"--run_dir", "--export_dir", "--batch_size", "--learning_rate", "--checkpoint_every_minutes"}
    text = (CLUSTER / "train.yaml").read_text()
    for name in ("--batch_size", "--learning_rate", "--checkpoint_every_minutes"):
        assert f"{name}={two[name]}" in text.split()


def test_flags_in_the_files_exist():
    from absl import flags as absl_flags

    values = absl_flags.FlagValues()
    define(MODES["train"].load_flags(), values)
    text = (CLUSTER / "train.yaml").read_text() + (CLUSTER / "train.sbatch").read_text().partition("\nsrun ")[2]
    flags = {word[2:].partition("=")[0] for word in text.split() if re.match(r"--\w", word)}
    assert "run_dir" in flags and flags - {"mode", "flagfile", "kill-on-bad-exit", "from-file"} <= set(values)


@pytest.mark.slow
def test_experiments_side_by_side(demo, tmp_path):
    """The two trainings of the page at once, and the page that compares them; where there is no GPU, on the CPU."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine").symlink_to(demo[0] / "records")
    page = (ROOT / "docs" / "clusters.md").read_text()
    trainings = re.findall(r"^    (CUDA_VISIBLE_DEVICES=\d tagger --mode=train .*&)$", page, re.M)
    [report] = re.findall(r"^    (tagger --mode=report .*)$", page, re.M)
    script = "\n".join(["set -e", 'tagger() { "$PYTHON" "$MAIN" "$@"; }', *(
        line.replace(" &", " --epochs=1 &") for line in trainings), "wait", report])
    shown = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False,
                           env={**os.environ, "PYTHON": sys.executable, "MAIN": str(ROOT / "main.py")})
    assert shown.returncode == 0 and "2 runs, 0 evaluations)" in shown.stdout, shown.stdout + shown.stderr
    overview = (tmp_path / "runs" / "report.html").read_text()
    assert "--dropout" in overview and "--label_smoothing" in overview and "small" in overview
