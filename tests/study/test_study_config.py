import re
import tomllib

import pytest

from spatial_de.errors import StudyError
from spatial_de.study import bundled_text, load_config


def write(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "study.toml"
    path.write_bytes(text.encode(encoding))
    return path


def test_the_bundled_study_is_the_main_job():
    config = load_config()
    assert config.data.panel is None
    assert (config.data.first, config.data.last) == (2013, 2022)
    assert config.model.outcome == "log(urban_rural_ratio)"
    assert len(config.model.controls) == 5
    assert (config.model.model, config.model.fixed, config.model.bias) == ("sdm", "two-way", "lee-yu")
    assert (config.weights.rule, config.weights.islands) == ("queen", "nearest")


def test_a_file_changes_only_what_it_names(tmp_path):
    changed = load_config(write(tmp_path, '[model]\ncov = "cluster"\n'))
    assert changed.model.cov == "cluster"
    assert changed.model_copy(update={"model": load_config().model}) == load_config()


def test_printed_options_are_the_bundled_study(tmp_path):
    assert load_config(write(tmp_path, bundled_text())) == load_config()


def test_options_that_stand_commented_in_the_bundled_file_work(tmp_path):
    lines = re.sub(r"^# (unit_labels|approval|boundaries|id) ", r"\1 ", bundled_text(), flags=re.MULTILINE)
    config = load_config(write(tmp_path, lines))
    figures = config.figures
    assert config.data.boundaries == str(tmp_path / "mine.gpkg")
    assert figures.unit_labels == "short_zh"
    assert figures.approval


def test_own_data_stand_by_themselves(tmp_path):
    path = write(tmp_path, '[data]\npanel = "p.csv"\nboundaries = "b.gpkg"\nfirst = 1\nlast = 2\n')
    with pytest.raises(StudyError) as caught:
        load_config(path)
    for key in ("title", "index", "model", "figures", "words"):
        assert f"\n  {key}: is missing." in str(caught.value)


def test_an_own_panel_needs_boundaries(own_study):
    path = own_study(0.0, 0.0)
    path.write_text(path.read_text(encoding="utf-8").replace('boundaries = "grid.gpkg"\n', ""), encoding="utf-8")
    with pytest.raises(StudyError, match="an own panel needs own boundaries"):
        load_config(path)


def test_paths_are_meant_from_the_file(own_study):
    path = own_study(0.0, 0.0)
    assert load_config(path).data.panel == str(path.parent / "panel.csv")


def test_a_byte_order_mark_is_no_fault(tmp_path):
    assert load_config(write(tmp_path, '[model]\ncov = "cluster"\n', "utf-8-sig")).model.cov == "cluster"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[model]\ncovariance = 1\n", "model.covariance: no such key."),
        ("[modle]\ncov = 1\n", "modle: no such key. Did you mean 'model'?"),
        (
            '[model]\ncov = "clustr"\n',
            "model.cov = 'clustr': use 'classical', 'robust', 'cluster', 'cluster-time', 'cluster-two-way' or "
            "'driscoll-kraay'.",
        ),
        ("[index]\nstep = -1\n", "index.step: Input should be greater than 0, not -1."),
        ("[inference]\ndraws = 5\n", "inference.draws: Input should be greater than or equal to 100, not 5."),
        ('[inference]\nseed = "1"\n', "inference.seed: Input should be a valid integer, not '1'."),
        ("[data]\nfirst = 2022\n", "data: first (2022) must be before last (2022)."),
        ('[figures]\napproval = "GS(2020)4619"\n', "figures.approval is the number of an own map"),
        ("data = 3\n", "data: Input should be a valid dictionary or instance of DataSection"),
        ("[robustness]\nperiods = [[2015]]\n", "robustness.periods.0: List should have at least 2 items"),
        ('[weights]\nrule = "econmic"\n', "weights.rule = 'econmic': use"),
    ],
)
def test_faults_are_named(tmp_path, text, message):
    with pytest.raises(StudyError, match=re.escape(message)):
        load_config(write(tmp_path, text))


def test_all_faults_at_once(tmp_path):
    with pytest.raises(StudyError, match="has 2 faults") as caught:
        load_config(write(tmp_path, "[model]\nfoo = 1\n[index]\nstep = 0\n"))
    assert str(caught.value).count("\n") == 2


def test_economic_weights_need_a_variable(tmp_path, own_study):
    path = own_study(0.0, 0.0, robustness='weights = ["economic"]')
    with pytest.raises(StudyError, match=re.escape("the rule 'economic' needs weights.economic")):
        load_config(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"title = x", "is not valid toml"), ("title = '北京'".encode("gb18030"), "is not UTF-8 text")],
)
def test_a_file_that_is_no_toml(tmp_path, content, message):
    path = tmp_path / "study.toml"
    path.write_bytes(content)
    with pytest.raises(StudyError, match=message):
        load_config(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(StudyError, match=re.escape("cannot be read (No such file or directory)")):
        load_config(tmp_path / "none.toml")


def test_the_bundled_file_is_toml():
    assert set(tomllib.loads(bundled_text())) >= {"data", "index", "model", "weights", "robustness", "words"}


def test_another_outcome_brings_its_own_words_and_maps(tmp_path):
    changed = load_config(write(tmp_path, '[model]\noutcome = "theil"\n'))
    assert changed.words.measure == "urban-rural Theil index"
    assert changed.figures.outcome == "theil"
    own = load_config(write(tmp_path, '[model]\noutcome = "log(theil)"\n[words]\nmeasure = "inequality"\n'))
    assert (own.words.measure, own.figures.outcome) == ("inequality", "theil")
    same = load_config(write(tmp_path, '[model]\ncov = "cluster"\n'))
    assert same.words == load_config().words
