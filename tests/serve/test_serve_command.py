"""The command ``textlrp serve``: names of models, options, and errors as one line."""

from __future__ import annotations

import pickle
import socket
import sys
from pathlib import Path

import pytest

from textlrp.cli import main
from textlrp.cli.serve_command import TOKEN
from textlrp.errors import ModelError, OptionError
from textlrp.serve.served_models import named_places


def test_without_the_extra_one_sentence_tells_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve", "20newsgroups-cnn"]) == 2
    expected = "textlrp serve needs the package uvicorn, which is not installed. Run: pip install 'textlrp[serve]'"
    assert capsys.readouterr().err == f"textlrp: {expected}\n"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "MODEL"),
        (["nowhere"], "no model at 'nowhere'"),
        (["20newsgroups-cnn", "20newsgroups-cnn"], "different names; got '20newsgroups-cnn' twice"),
        (["new="], "MODEL must be a model or NAME=MODEL; got 'new='"),
        (["20newsgroups-cnn", "--host", "a..b"], "not a name of a host"),
        (["20newsgroups-cnn", "--host", "a" * 70], "not a name of a host"),
        (["20newsgroups-cnn", "--port", "70000"], "--port"),
        (["20newsgroups-cnn", "--workers", "0"], "--workers"),
        (["20newsgroups-cnn", "--max-waiting", "0"], "--max-waiting"),
    ],
)
def test_errors_are_one_line(arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", *arguments]) == 2
    error = capsys.readouterr().err
    assert part in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("token", ["", " a", "a\nb", "café"])
def test_a_token_must_fit_in_a_header(
    token: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(TOKEN, token)
    assert main(["serve", "20newsgroups-cnn"]) == 2
    assert TOKEN in capsys.readouterr().err


def test_a_port_in_use_is_named() -> None:
    from textlrp.serve.serve_options import ServeOptions
    from textlrp.serve.server_run import bound_socket

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(OptionError, match=rf"got '127.0.0.1:{port}'. Pass --port 0"):
            bound_socket(ServeOptions(port=port))
    with pytest.raises(OptionError, match="no-such-host"):
        bound_socket(ServeOptions(host="no-such-host.invalid"))


def test_workers_do_not_start_if_a_model_cannot_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from textlrp.serve import server_run
    from textlrp.serve.serve_options import ServeOptions

    model = tmp_path / "model.joblib"
    model.write_bytes(pickle.dumps("not trusted"))
    monkeypatch.setattr(server_run, "Multiprocess", None)
    with pytest.raises(ModelError, match="trust"):
        server_run.run_service([str(model)], ServeOptions(port=0, workers=2))


def test_models_are_named_by_their_folder_or_by_the_user(tmp_path: Path) -> None:
    (tmp_path / "a=b").mkdir()
    folder = str(tmp_path / "a=b")
    assert named_places(["x/model/", "second=y/model", folder]) == {
        "model": "x/model/",
        "second": "y/model",
        "a=b": folder,
    }
    with pytest.raises(OptionError, match="different names; got 'model' twice"):
        named_places(["x/model", "y/model"])
