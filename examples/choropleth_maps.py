"""Choropleth maps: several years with one legend, in English and in Chinese, and a cluster map.

python examples/choropleth_maps.py        # leaves gap.png, gap_zh.svg, clusters.png
"""

import spatial_de as sde

provinces = sde.datasets.load_provinces()  # all 34 units are drawn; those without data are hatched
panel = sde.datasets.load_china_panel()
gap = panel["urban_rural_ratio"]

# The same classes in every year, so that the maps can be compared.
figure = sde.maps.choropleth(
    provinces,
    gap,
    times=[2013, 2018, 2023],
    scheme="quantiles",
    k=5,
    title="Urban-rural income ratio",
    legend_title="Ratio",
    source="National Bureau of Statistics; boundaries: Natural Earth",
)
sde.maps.save(figure, "gap.png")

# Chinese labels print on any machine: the font is part of the package.
figure = sde.maps.choropleth(
    provinces,
    gap.xs(2023, level="year"),
    scheme="natural-breaks",
    title="城乡居民收入比，2023年",
    legend_title="城乡收入比",
    source="国家统计局",
    language="zh",
    unit_labels="short_zh",
)
sde.maps.save(figure, "gap_zh.svg")

# Local clusters, with control of the false-discovery rate.
w = sde.weights.contiguity(provinces[provinces["region"] != "none"], islands="nearest")
local = sde.local_moran(gap, w, permutations=9999, seed=0)
figure = sde.maps.lisa(provinces, local, times=[2013, 2023], title="Local clusters of the urban-rural income ratio")
sde.maps.save(figure, "clusters.png")
print(local.table.xs(2023, level="year")["cluster"].value_counts())
