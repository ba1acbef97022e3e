"""Which W? Effects under eleven weights, how far spillovers reach, and whether any W would have given them.

python examples/which_w.py        # prints tables, leaves which_w.csv, which_w.png, cutoffs.png and placebo.png
"""

import warnings

import spatial_de as sde

everything = sde.datasets.load_china_panel()
panel = everything.select(times=range(2014, 2023))
index = sde.composite_index(panel, "china-digital-7", method="entropy")
panel = panel.assign(digital=index.values)
provinces = sde.datasets.load_provinces()
mainland = provinces[provinces["region"] != "none"]
formula = "ln_gap ~ digital + urbanisation + ln_gdp_pc"

# Economic distance and masses from the year before the sample, which the sample cannot have changed.
gdp = sde.weights.pre_sample_mean(everything["gdp_per_head"], before=2014)
people = sde.weights.pre_sample_mean(everything["population"], before=2014)
queen = sde.weights.contiguity(mainland, islands="nearest")
inverse = sde.weights.inverse_distance(mainland)
economic = sde.weights.economic(gdp)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Hainan has no land border and gets one of the median length
    borders = sde.weights.border_length(mainland, islands="nearest")
weights = {
    "queen": queen,
    "border length": borders,
    "queen, orders 1 and 2": sde.weights.higher_order(queen, 2, include_lower_orders=True),
    "4 nearest": sde.weights.knn(mainland, k=4),
    "6 nearest": sde.weights.knn(mainland, k=6),
    "1 / distance": inverse,
    "1 / distance squared": sde.weights.inverse_distance(mainland, power=2),
    "gravity, population": sde.weights.gravity(mainland, people),
    "economic distance": economic,
    "nested, half and half": sde.weights.nested(inverse, economic, share=0.5),
    "queen x economic": sde.weights.product(queen, economic),
}

# One table, one figure.
found = sde.compare_weights(formula, panel, weights, model="sdm")
print(found, end="\n\n")
found.to_frame().to_csv("which_w.csv", index=False)
figure = sde.maps.compared_weights(found, "digital", title="Digital economy and the urban-rural gap under many W")
sde.maps.save(figure, "which_w.png")

# How far do spillovers reach?
far = sde.distance_scan(formula, panel, mainland, cutoffs=range(600, 2100, 100), term="digital", kind="inverse")
print(far, end="\n\n")
sde.maps.save(sde.maps.distance_scan(far, name="digital economy"), "cutoffs.png")

# Would random neighbours have given the same?
placebo = sde.placebo_weights(formula, panel, queen, term="digital", draws=199)
print(placebo)
sde.maps.save(sde.maps.placebo_weights(placebo), "placebo.png")
