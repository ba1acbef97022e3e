"""Fit a spatial Durbin model from Python: the digital economy and the urban-rural income gap.

python examples/fit_from_python.py        # prints the fit, leaves effects.png
"""

import spatial_de as sde

# 31 provinces, 2013-2022; the index is computed from seven published indicators.
panel = sde.datasets.load_china_panel().select(times=range(2013, 2023))
index = sde.composite_index(panel, "china-digital-7", method="entropy")
panel = panel.assign(digital=index.values)

# Provinces that share a border are neighbours; Hainan, an island, is linked with the nearest (Guangdong).
provinces = sde.datasets.load_provinces()
mainland = provinces[provinces["region"] != "none"]
w = sde.weights.contiguity(mainland, rule="queen", islands="nearest")
print(w, end="\n\n")

# Two-way fixed effects by the Lee-Yu transformation are the default for panels.
formula = "ln_gap ~ digital + urbanisation + ln_gdp_pc + expenditure_share + secondary_share + ln_patents"
fit = sde.fit(formula, panel, w, model="sdm")
print(fit.summary(), end="\n\n")

# A coefficient of a model with a spatial lag is not an effect: these are, with inference.
effects = fit.effects(inference="simulation", draws=1000, seed=0)
print(effects, end="\n\n")

# Are SAR or SEM enough? And do the standard errors hinge on independence?
print(sde.specification_tests(formula, panel, w), end="\n\n")
print(fit.with_cov("cluster").effects().table.loc["digital"])

figure = sde.maps.effects(
    {name: fit.with_cov(name).effects() for name in ("classical", "cluster")},
    terms=["digital"],
    title="Effect of the digital-economy index on ln(urban-rural income ratio)",
    source="National Bureau of Statistics, MIIT; own computation",
)
sde.maps.save(figure, "effects.png")
