"""``spatial-de fit``: any model of the library by any of its methods, and its effects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from spatial_de.cli.groups import command, under
from spatial_de.cli.inputs import Inputs, check_stem, options, say

if TYPE_CHECKING:
    from spatial_de.effects import Effects
    from spatial_de.results import Results

_model, _panel, _estimation, _inference = map(under, ("Model", "Panel effects", "Estimation", "Inference and output"))

# what the library's fit() takes, whose import would slow --help down; None is its default
_OF_FIT = (
    "model",
    "durbin",
    "fixed",
    "random",
    "correlated",
    "bias",
    "missing_neighbors",
    "method",
    "instrument_lags",
    "logdet",
    "information",
    "cov",
)


@command(
    short_help="Fit a spatial model and show its effects.",
    epilog="\b\nExamples:\n"
    "  spatial-de fit 'ln_gap ~ digital + ln_gdp_pc' --index china-digital-7 \\\n"
    "      --last 2022\n"
    "  spatial-de fit 'gap ~ gdp' --data mine.dta --unit id --time year \\\n"
    "      --weights w.csv --model sar\n"
    "  spatial-de fit 'ln_gap ~ ln_gdp_pc' --random kkp --correlated --model sem\n"
    "  spatial-de fit 'ln_gap ~ ln_gdp_pc' --method bayes --draws 5000 --seed 1\n"
    "  spatial-de fit 'gap ~ gdp' --data cross.csv --weights w.gal --model sac \\\n"
    "      --method gmm --cov robust",
)
@options()
@under("Data")("--unbalanced", is_flag=True, help="Take a panel in which rows are missing as it is.")
@click.argument("formula")
@_model(
    "--model",
    default="sdm",
    show_default=True,
    type=click.Choice(["ols", "slx", "sar", "sem", "sac", "sdm", "sdem", "gns"]),
    help="Response lagged: sar, sac, sdm, gns. Regressors lagged: slx, sdm, sdem, gns. "
    "Spatial error: sem, sac, sdem, gns.",
)
@_model(
    "--durbin",
    metavar="TERM",
    multiple=True,
    help="Regressor that enters spatially lagged in slx, sdm, sdem, gns; once per regressor. Default: all.",
)
@_model(
    "--missing-neighbors",
    type=click.Choice(["renormalize", "zero"]),
    help="Weights of neighbours that an unbalanced panel lacks at a time: those left are normalised again (default), "
    "or a missing neighbour counts as zero.",
)
@_panel(
    "--fixed",
    type=click.Choice(["two-way", "individual", "time", "none"]),
    help="Fixed effects. Default: two-way, with random effects none.",
)
@_panel("--random", type=click.Choice(["bsk", "kkp"]), help="Random unit effects beside or in the spatial error.")
@_panel("--correlated", is_flag=True, help="Unit means of regressors beside random effects (Mundlak).")
@_panel(
    "--bias",
    type=click.Choice(["lee-yu", "none", "correction"]),
    help="What is done about the bias of fixed effects. Default: lee-yu.",
)
@_estimation(
    "--method",
    default="ml",
    show_default=True,
    type=click.Choice(["ml", "gmm", "bayes"]),
    help="Maximum likelihood; moments (two-stage least squares), for cross-sections; draws of the posterior.",
)
@_estimation("--instrument-lags", type=int, help="Spatial lags of regressors that gmm takes as instruments.")
@_estimation(
    "--logdet",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "eigenvalues", "sparse", "stochastic"]),
    help="How ln|I - rho W| is computed.",
)
@_inference(
    "--cov",
    default="classical",
    show_default=True,
    type=click.Choice(["classical", "robust", "cluster", "cluster-time", "cluster-two-way", "driscoll-kraay"]),
    help="Covariance of the estimates, of ml and gmm.",
)
@_inference(
    "--information",
    default="observed",
    show_default=True,
    type=click.Choice(["observed", "expected"]),
    help="Information behind classical standard errors, of ml.",
)
@_inference(
    "--draws", type=int, help="Simulated effects (default: 1,000); with bayes, draws of the posterior (10,000)."
)
@_inference("--seed", type=int, help="Of the draws. Default: 0.")
@_inference("-o", "--output", metavar="STEM", callback=check_stem, help="Write STEM.csv, STEM.md, STEM.tex.")
def fit(formula: str, draws: int | None, seed: int | None, *, output: str | None, **given: Any) -> None:
    """Fit a spatial model and show its direct, indirect and total effects.

    FORMULA is 'y ~ x1 + log(x2)'.
    """
    from spatial_de.fitting import fit as estimate
    from spatial_de.tables import regression, write

    how: Any = {key: given.pop(key) for key in _OF_FIT}
    how |= {"random": how["random"] or False, "durbin": list(how["durbin"]) or None}
    if how["method"] == "bayes":
        how |= {"draws": draws, "seed": seed}
    inputs = Inputs(**given)
    inputs.check_index(formula)
    w = None if how["model"] == "ols" else inputs.build_weights()
    result = estimate(formula, inputs.figures, w, **how)
    click.echo(result.summary())
    click.echo()
    effects = result.effects(draws=1000 if draws is None else draws, seed=seed or 0)
    click.echo(_effects_as_text(effects, result), nl=False)
    if output is not None:
        say(write(regression([result], effects=[effects]), output))


def _effects_as_text(effects: Effects, result: Results) -> str:
    from spatial_de.tables import render

    source = "the posterior" if result.posterior is not None else f"{result.cov_type} covariance"
    note = f"{effects.draws:,} draws, seed {effects.seed}, {source}."
    return render(effects.shown, "txt", title="Average effects", note=note)
