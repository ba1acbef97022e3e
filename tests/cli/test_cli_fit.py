"""``spatial-de fit``: every option is the library's, with the library's numbers and the library's errors."""

import re
import warnings

import click
import pytest

import spatial_de as sde
from spatial_de.cli.fit import fit as command
from spatial_de.errors import EstimationWarning, OptionError, SpatialDEError


@pytest.fixture(scope="module")
def w(own_files):
    return sde.weights.contiguity(sde.boundaries.read(own_files / "grid.gpkg", id="cell"))


@pytest.fixture(scope="module")
def panel(own_files):
    return sde.datasets.read_panel(own_files / "panel.csv", unit="cell", time="year")


@pytest.fixture(scope="module")
def cross(panel):
    return panel.frame.xs(2003, level="year")


@pytest.fixture(scope="module")
def holes(own_files, tmp_path_factory):
    """The panel without every seventh row."""
    path = tmp_path_factory.mktemp("holes") / "holes.csv"
    lines = (own_files / "panel.csv").read_text().splitlines()
    path.write_text("\n".join(line for i, line in enumerate(lines) if i % 7 != 3))
    return path


def own(folder, data="panel.csv", *, time=True):
    place = ["--unit", "cell", "--boundaries", folder / "grid.gpkg", "--id", "cell"]
    return ["--data", folder / data, *place, *(["--time", "year"] if time else [])]


def quiet_fit(*arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        return sde.fit(*arguments, **options)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["--method", "bayes", "--draws", "300", "--seed", "4"], {"method": "bayes", "draws": 300, "seed": 4}),
        (["--model", "sac", "--random", "kkp"], {"model": "sac", "random": "kkp"}),
        (["--durbin", "x"], {"durbin": ["x"]}),
        (["--logdet", "sparse"], {"logdet": "sparse"}),
        (["--model", "sar", "--information", "expected"], {"model": "sar", "information": "expected"}),
        (["--fixed", "individual", "--bias", "correction"], {"fixed": "individual", "bias": "correction"}),
        (["--cov", "cluster"], {"cov": "cluster"}),
    ],
)
def test_options_of_a_panel_reach_the_fit(cli, own_files, panel, w, arguments, options):
    code, out, _ = cli("fit", "y ~ x", *own(own_files), *arguments)
    assert code == 0
    assert quiet_fit("y ~ x", panel, w, **options).summary() in out


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["--model", "sac", "--method", "gmm", "--cov", "robust"], {"model": "sac", "method": "gmm", "cov": "robust"}),
        (["--model", "sar", "--method", "gmm", "--instrument-lags", "2"], {"model": "sar", "instrument_lags": 2}),
    ],
)
def test_options_of_moments_reach_the_fit(cli, own_files, cross, w, arguments, options):
    code, out, err = cli("fit", "y ~ x", *own(own_files, "cross.xlsx", time=False), *arguments)
    expected = quiet_fit("y ~ x", cross, w, **({"method": "gmm"} | options)).summary()
    assert code in {0, 2}, err
    assert expected in out
    if code == 2:  # a rho outside its interval has no effects, and the fit says so
        assert "effects are not defined" in " ".join(expected.split())


@pytest.mark.parametrize("missing", [None, "renormalize", "zero"])
def test_a_panel_with_holes(cli, own_files, holes, w, missing):
    arguments = [] if missing is None else ["--missing-neighbors", missing]
    data = ["--data", holes, *own(own_files)[2:]]
    code, out, _ = cli("fit", "y ~ x", *data, "--unbalanced", *arguments)
    panel = sde.datasets.read_panel(holes, unit="cell", time="year", unbalanced=True)
    assert code == 0
    assert quiet_fit("y ~ x", panel, w, missing_neighbors=missing).summary() in out


def test_holes_are_not_taken_silently(cli, own_files, holes):
    code, _, err = cli("fit", "y ~ x", "--data", holes, *own(own_files)[2:])
    assert code == 2
    assert err.startswith("Panel error: The panel is not balanced: ")


def test_a_posterior_is_not_tested(cli, own_files, tmp_path):
    code, out, _ = cli("fit", "y ~ x", *own(own_files), "--method", "bayes", "--draws", "300", "-o", tmp_path / "t")
    assert code == 0
    assert "300 draws, seed 0, the posterior." in out
    assert "p_value" not in out
    assert "statistic" not in out
    assert "Posterior means, standard deviations in brackets." in (tmp_path / "t.md").read_text()


def test_draws_without_bayes_are_those_of_the_effects(cli, own_files):
    assert (
        "150 draws, seed 2, classical covariance."
        in cli("fit", "y ~ x", *own(own_files), "--draws", "150", "--seed", "2")[1]
    )
    assert "1,000 draws, seed 0, classical covariance." in cli("fit", "y ~ x", *own(own_files))[1]


WRONG = [
    (["--method", "gmm"], {"method": "gmm"}),
    (["--method", "gmm", "--information", "expected"], {"method": "gmm", "information": "expected"}),
    (["--method", "bayes", "--cov", "robust"], {"method": "bayes", "cov": "robust"}),
    (["--method", "bayes", "--random", "bsk"], {"method": "bayes", "random": "bsk"}),
    (["--method", "bayes", "--draws", "5"], {"method": "bayes", "draws": 5}),
    (["--method", "bayes", "--seed", "-1"], {"method": "bayes", "seed": -1}),
    (["--correlated"], {"correlated": True}),
    (["--random", "kkp", "--fixed", "two-way"], {"random": "kkp", "fixed": "two-way"}),
    (["--model", "sar", "--durbin", "x"], {"model": "sar", "durbin": ["x"]}),
    (["--durbin", "z"], {"durbin": ["z"]}),
    (["--missing-neighbors", "zero"], {"missing_neighbors": "zero"}),
    (["--instrument-lags", "2"], {"instrument_lags": 2}),
]


@pytest.mark.parametrize(("arguments", "options"), WRONG)
def test_wrong_combinations_are_refused_as_in_python(cli, own_files, panel, w, arguments, options):
    with pytest.raises(SpatialDEError) as caught:
        sde.fit("y ~ x", panel, w, **options)
    code, _, err = cli("fit", "y ~ x", *own(own_files), *arguments)
    assert code == 2
    assert f"error: {caught.value}" in err


@pytest.mark.parametrize("missing", ["bayes", "random"])
def test_what_needs_a_balanced_panel_says_so(cli, own_files, holes, missing):
    arguments = {"bayes": ["--method", "bayes"], "random": ["--random", "bsk"]}[missing]
    code, _, err = cli("fit", "y ~ x", "--data", holes, *own(own_files)[2:], "--unbalanced", *arguments)
    assert code == 2
    assert "not available for a panel that is not balanced" in err


@pytest.mark.parametrize("arguments", [[], ["--data", "cross.xlsx"]])
def test_unbalanced_is_for_own_panels(cli, own_files, arguments):
    given = [own_files / item if item.endswith("xlsx") else item for item in arguments]
    code, _, err = cli("fit", "y ~ x", *given, "--unbalanced")
    assert code == 2
    assert err.startswith("Option error: --unbalanced is for own panels")


CHOICES = {p.name: set(p.type.choices) for p in command.params if isinstance(p.type, click.Choice)}


@pytest.mark.parametrize("name", sorted(CHOICES.keys() - {"islands"}))
def test_choices_are_those_of_the_library(panel, w, name):
    """The library's error on a wrong value lists the right ones."""
    with pytest.raises(OptionError) as caught:
        sde.fit("y ~ x", panel, w, **{name: "?"})
    allowed = set(re.findall(r"'([\w-]+)'", str(caught.value)))
    needs_weights_of_pairs = {"hac"} if name == "cov" else set()
    assert CHOICES[name] == allowed - needs_weights_of_pairs


def test_help_stands_under_headings(cli):
    _, out, _ = cli("fit", "--help")
    heads = [line.rstrip(":") for line in out.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert heads == [
        "Data",
        "Boundaries",
        "Weights",
        "Model",
        "Panel effects",
        "Estimation",
        "Inference and output",
        "Options",
    ]
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.opts[-1] in out
            assert option.help, option.name
