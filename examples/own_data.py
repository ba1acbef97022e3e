"""Own data with own boundaries: from a csv and a vector file to effects and a map.

The files are written here from US state incomes, so that the example runs as it is; replace them by yours.

python examples/own_data.py        # leaves own_panel.csv, own_boundaries.gpkg, own_map.png
"""

import spatial_de as sde

# Your files: a panel in long format, and polygons with the same ids.
incomes = sde.datasets.load_us_incomes().select(times=range(1990, 2010))
lagged = incomes.assign(ln_income_before=incomes.time_lag("ln_income")).select(times=range(1991, 2010))
growth = lagged.assign(growth=lagged["ln_income"] - lagged["ln_income_before"])
growth.to_frame().to_csv("own_panel.csv", index=False)
sde.datasets.load_us_states().to_file("own_boundaries.gpkg")

# Reading them: encodings, column names and every doubtful cell are checked.
panel = sde.datasets.read_panel("own_panel.csv", unit="state", time="year")
states = sde.boundaries.read("own_boundaries.gpkg", id="state")
print(panel, end="\n\n")

# Weights by border, and by distance along great circles; data and weights meet by state, never by row.
borders = sde.weights.contiguity(states)
nearest = sde.weights.knn(states, k=5)

# Conditional convergence with spillovers: do poorer states and states with poorer neighbours grow faster?
for w in (borders, nearest):
    fit = sde.fit("growth ~ ln_income_before", panel, w, model="sdm")
    print(w.provenance.rule)
    print(fit.effects(), end="\n\n")

mean_growth = 100 * panel["growth"].groupby("state").mean()
figure = sde.maps.choropleth(
    states,
    mean_growth,
    title="Growth of income per head, 1991-2009",
    legend_title="% a year (log points)",
    source="Bureau of Economic Analysis, as bundled with libpysal",
)
sde.maps.save(figure, "own_map.png")
