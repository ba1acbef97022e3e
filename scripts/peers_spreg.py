"""Figures of spreg on the cross-sections of the agreement page, as JSON beside those of other programs.

    python scripts/peers_spreg.py        # writes tests/golden/peers/*_spreg.json

The page itself reads these files and needs neither spreg nor R.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import spreg
from agreement_parts.samples import Sample, load

TARGET = Path(__file__).parents[1] / "tests" / "golden" / "peers"
CALLS: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("sar", "full"): ("ML_Lag", {"method": "full", "spat_impacts": ["full"]}),
    ("sdm", "full"): ("ML_Lag", {"method": "full", "slx_lags": 1, "spat_impacts": ["full"]}),
    ("sem", "full"): ("ML_Error", {"method": "full"}),
    ("sdem", "full"): ("ML_Error", {"method": "full", "slx_lags": 1}),
    ("sar", "ord"): ("ML_Lag", {"method": "ord", "spat_impacts": None}),
    ("sem", "ord"): ("ML_Error", {"method": "ord"}),
    ("sar", "GM_Lag"): ("GM_Lag", {"w_lags": 1, "spat_impacts": None}),
    ("sdm", "GM_Lag"): ("GM_Lag", {"w_lags": 2, "slx_lags": 1, "spat_impacts": None}),
    ("sar", "GM_Lag, white"): ("GM_Lag", {"w_lags": 1, "robust": "white", "spat_impacts": None}),
    ("sem", "GM_Error_Hom"): ("GMM_Error", {"estimator": "hom"}),
    ("sem", "GM_Error_Het"): ("GMM_Error", {"estimator": "het"}),
    ("sac", "GM_Combo_Hom"): ("GMM_Error", {"estimator": "hom", "add_wy": True, "w_lags": 1}),
    ("sac", "GM_Combo_Het"): ("GMM_Error", {"estimator": "het", "add_wy": True, "w_lags": 1}),
}


def effects(text: str, names: tuple[str, ...]) -> dict[str, list[float]]:
    """Printed impacts, four decimals."""
    found = {}
    for line in text.splitlines():
        parts = line.split()
        if len(parts) == 4 and parts[0] in names and all(re.fullmatch(r"-?\d+\.\d+", part) for part in parts[1:]):
            found[parts[0]] = [float(part) for part in parts[1:]]
    return found


def case(sample: Sample, model: str, method: str) -> dict[str, Any]:
    """One fit."""
    name, options = CALLS[model, method]
    w = sample.w.to_w()
    w.transform = "R" if sample.name.endswith("-row") else "O"
    y = sample.frame[[sample.y]].to_numpy()
    x = sample.frame[list(sample.x)].to_numpy()
    keywords = {"name_y": sample.y, "name_x": list(sample.x), **options}
    out: dict[str, Any] = {"model": model, "method": method, "command": f"spreg.{name}(y, x, w=w, {options})"}
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            fit = getattr(spreg, name)(y, x, w=w, **keywords)
    except Exception as error:  # noqa: BLE001 - whatever it raises is what the page reports
        return {**out, "failed": f"{type(error).__name__}: {error}"}
    rename = {"CONSTANT": "Intercept", f"W_{sample.y}": "rho"}
    names = [rename.get(label, label) for label in fit.output["var_names"]]
    out["params"] = dict(zip(names, np.ravel(fit.betas).tolist(), strict=True))
    errors = np.sqrt(np.diag(fit.vm))[: len(names)]
    out["se"] = dict(zip(names, errors.tolist(), strict=False))
    if name.startswith("ML"):
        out["params"]["sigma2"] = float(np.ravel(fit.sig2)[0])
        out["loglik"] = float(np.ravel(fit.logll)[0])
    printed = effects(fit.summary, sample.x)
    if printed:
        out["effects"], out["decimals"] = printed, 4
    return out


ORD = (
    "method='ord' puts a symmetric form of W in the place of W where links are mutual: traces of the information, and "
    "with it standard errors, are wrong; where the weights are not row-standardised also the log-determinant, and with "
    "it everything."
)


def write(name: str, content: dict[str, Any]) -> None:
    """One file."""
    (TARGET / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Write one file for each cross-section, and one for what is known to be wrong."""
    for name, sample in load().items():
        if sample.is_panel:
            continue
        cases = [case(sample, model, method) for model, method in CALLS]
        words = {"peer": "spreg", "version": version("spreg"), "script": "scripts/peers_spreg.py", "sample": name}
        links = sample.w.to_dense().to_numpy() > 0.0
        wrong = [one for one in cases if one["method"] == "ord" and (links == links.T).all()]
        write(f"{name}_spreg", {**words, "cases": [one for one in cases if one not in wrong]})
        if wrong:
            write(f"known_wrong/{name}_spreg_ord", {**words, "explanation": ORD, "cases": wrong})
        print(name, len(cases), [one["failed"] for one in cases if "failed" in one])


if __name__ == "__main__":
    main()
