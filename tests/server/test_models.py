from pathlib import Path

import pytest
from pydantic import HttpUrl, SecretStr

from realtime_asr.server.models import ModelSettings, NamedModel, named_models, public_name


def test_the_main_model_comes_first_and_is_there_from_the_start() -> None:
    models = named_models(ModelSettings(model="small", idle_minutes=3), {"fast": NamedModel(model="tiny")})

    assert {"small": NamedModel(model="small", idle_minutes=3, eager=True)}.items() <= models.items()
    assert ["small", "fast"] == list(models)


def test_what_a_model_leaves_out_is_as_for_the_main_one() -> None:
    main = ModelSettings(model="small", beam_size=3, device="cpu", prepare=False)
    further = {"fast": NamedModel(model="tiny", beam_size=1)}

    fast = named_models(main, further)["fast"]

    assert ("tiny", 1, "cpu", False) == (fast.model, fast.beam_size, fast.device, fast.prepare)


def test_a_further_model_is_lazy_and_leaves_when_idle_whatever_the_main_one_does() -> None:
    fast = named_models(ModelSettings(idle_minutes=0), {"fast": NamedModel()})["fast"]

    assert (False, 15) == (fast.eager, fast.idle_minutes)


def test_the_key_of_the_main_models_remote_is_shown_to_no_other_remote() -> None:
    main = ModelSettings(remote_url=HttpUrl("http://a/v1"), remote_key=SecretStr("secret"))
    further = {
        "here": NamedModel(),
        "elsewhere": NamedModel(remote_url=HttpUrl("http://b/v1")),
        "with a key": NamedModel(remote_url=HttpUrl("http://b/v1"), remote_key=SecretStr("another")),
    }

    keys = [model.remote_key for model in named_models(main, further).values()]

    assert ["secret", "secret", None, "another"] == [key and key.get_secret_value() for key in keys]


def test_a_model_without_another_name_is_called_what_it_is() -> None:
    assert "tiny" == named_models(ModelSettings(), {"tiny": NamedModel()})["tiny"].model


@pytest.mark.parametrize("model", ["small", "owner/small"])
def test_a_name_is_public(model: str) -> None:
    assert model == public_name(model)


def test_where_a_folder_lies_is_not(tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()

    assert "acme" == public_name(str(tmp_path / "acme"))
