"""Beyond the fixed-effects fit: random effects, gaps in the panel, weights by year, bootstrap, prediction, many fits.

python examples/advanced_models.py        # prints tables, leaves estimates.csv
"""

import spatial_de as sde

panel = sde.datasets.load_china_panel().select(times=range(2013, 2023))
index = sde.composite_index(panel, "china-digital-7", method="entropy")
panel = panel.assign(digital=index.values)
provinces = sde.datasets.load_provinces()
mainland = provinces[provinces["region"] != "none"]
w = sde.weights.contiguity(mainland, islands="nearest")
formula = "ln_gap ~ digital + urbanisation + ln_gdp_pc"
fit = sde.fit(formula, panel, w, model="sdm")

# Random unit effects, and Mundlak's: with unit means of the regressors the slopes are those within units.
random = sde.fit(formula, panel, w, model="sar", random=True)
mundlak = sde.fit(formula, panel, w, model="sar", random=True, correlated=True)
print(sde.tables.regression([random, mundlak]), end="\n\n")

# Rows may be missing: W is cut down to the units that are there in each year.
rows = panel.to_frame()
gaps = sde.Panel(rows.drop(index=rows.index[::9]), unit="code", time="year", unbalanced=True)
for missing in ("renormalize", "zero"):
    print(missing, sde.fit(formula, gaps, w, model="sdm", missing_neighbors=missing).params["rho"])

# Weights that change: borders until 2017, the four nearest provinces from 2018 on.
near = sde.weights.knn(mainland, k=4)
by_year = {year: w if year < 2018 else near for year in panel.times}
print(sde.fit(formula, panel, by_year, model="sdm").params, end="\n\n")

# Effects with bootstrap inference, by group, by unit, and by order of neighbourhood.
print(fit.effects(inference="bootstrap", draws=499, seed=0), end="\n\n")
print(fit.effects_by_group(provinces["region"]), end="\n\n")
print(fit.effects_by_unit().table.loc["digital"].head(), end="\n\n")
print(fit.effects_by_order(3).table.loc["digital"], end="\n\n")

# Prediction for a year that the fit does not have.
later = sde.datasets.load_china_panel()
later = later.assign(digital=sde.composite_index(later, "china-digital-7", method="entropy").values).select(
    times=[2023]
)
print(fit.predict(later).head(), end="\n\n")

# A cross-section of 2022 by the method of moments, with errors of different variance.
year = panel.to_frame().query("year == 2022").set_index("code")
print(sde.fit(formula, year, w, model="sar", method="gmm", cov="robust").summary(), end="\n\n")

# Many specifications in one table.
controls = ("urbanisation", "ln_gdp_pc", "expenditure_share", "secondary_share", "ln_patents")
specifications = {
    f"{model}: {control}": {"formula": f"ln_gap ~ digital + {control}", "model": model}
    for model in ("sar", "sem", "sdm", "sdem")
    for control in controls
}
fits = sde.fit_many(specifications, panel, w, effects="delta")
print(fits)
fits.to_frame().to_csv("estimates.csv", index=False)
