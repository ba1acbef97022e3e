"""What bad input gets: one table, each line with the exact message.

The numbers are those of a list of 56 bad inputs that the project keeps; letters mark variants. Inputs of files are in
tests/datasets/test_readers.py, of polygons in tests/boundaries and tests/weights.
"""

import warnings

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

import spatial_de as sde
from spatial_de import errors as e
from spatial_de.weights import SpatialWeights

N, T = 8, 5
IDS = [f"u{i}" for i in range(N)]


def ring(ids=IDS):
    n = len(ids)
    matrix = np.zeros((n, n))
    i = np.arange(n)
    matrix[i, (i + 1) % n] = matrix[(i + 1) % n, i] = 1.0
    return SpatialWeights(matrix, ids, normalization="row")


RNG = np.random.default_rng(0)
LONG = pd.DataFrame([(unit, year) for unit in IDS for year in range(2010, 2010 + T)], columns=["id", "year"])
LONG[["x", "y", "z"]] = RNG.standard_normal((N * T, 3))
CROSS = pd.DataFrame(RNG.standard_normal((N, 3)), index=IDS, columns=["x", "y", "z"])
W = ring()
SQUARES = [shapely.box(i, 0, i + 1, 1) for i in range(3)]


def panel(frame=LONG, **options):
    return sde.Panel(frame, "id", "year", **options)


def changed(column, row, value):
    frame = LONG.copy()
    frame[column] = frame[column].astype(object)
    frame.loc[row, column] = value
    return frame


def layer(shapes=SQUARES, ids="abc", crs="EPSG:4326"):
    return gpd.GeoDataFrame(geometry=list(shapes), index=list(ids), crs=crs)


REFUSED = {
    "1 W lacks a region": (
        lambda: sde.fit("y ~ x", panel(), ring(IDS[:-1])),
        e.AlignmentError,
        "The units of weights and data are not the same; 1 unit of data not in weights: 'u7'. Drop or add units "
        "explicitly (w.subset(ids), panel.select(units=...)) so that both hold the same ones.",
    ),
    "2 W has an extra region": (
        lambda: sde.fit("y ~ x", panel(), ring([*IDS, "extra"])),
        e.AlignmentError,
        "The units of weights and data are not the same; 1 unit of weights not in data: 'extra'. Drop or add units "
        "explicitly (w.subset(ids), panel.select(units=...)) so that both hold the same ones.",
    ),
    "2a W has a region twice": (
        lambda: ring(["a", "b", "b"]),
        e.AlignmentError,
        "Weights: 1 label occurs more than once: 'b'. Every unit may occur only once.",
    ),
    "4 labels on one side only": (
        lambda: sde.fit("y ~ x", CROSS.reset_index(drop=True), W, model="sar"),
        e.AlignmentError,
        "The data carry no unit labels (their index is 0, 1, 2, ...), the weights do, such as 'u0', 'u1' and 6 more: use "
        "df.set_index(...) for a cross-section, sde.Panel(df, unit=..., time=...) for a panel.",
    ),
    "5 110000 against '110000'": (
        lambda: sde.fit(
            "y ~ x",
            panel(LONG.assign(id=LONG["id"].str[1:].astype(int) + 110000)),
            ring([f"{110000 + i}" for i in range(N)]),
        ),
        e.AlignmentError,
        "The units of weights are text (such as '110000'), those of data are integers (such as 110000): 8 of them would "
        "match if both were written the same way. Labels are compared as given; convert one side, e.g. ids.astype(str) "
        "for data.",
    ),
    "5a ids of mixed type": (
        lambda: panel(LONG.assign(id=[7 if unit == "u7" else unit for unit in LONG["id"]])),
        e.PanelError,
        "Column 'id' mixes 'int', 'str': 110000 and '110000' would be different units. Convert it to one type, e.g. "
        "df['id'] = df['id'].astype(str).",
    ),
    "7 region-years twice": (
        lambda: panel(pd.concat([LONG, LONG.iloc[[3, 7]]])),
        e.PanelError,
        "2 rows repeat a (id, year) that is already there: ('u0', 2013), ('u1', 2012). Every unit may occur once per time.",
    ),
    "8 region-years missing": (
        lambda: panel(LONG.drop([4, 5])),
        e.PanelError,
        "The panel is not balanced: 2 rows of 40 missing, ('u0', 2014), ('u1', 2010). Add them, or build Panel(..., "
        "unbalanced=True), which fit() takes as it is and .balance() cuts to a balanced one, reporting what it drops.",
    ),
    "10 a lag over a gap in years": (
        lambda: sde.Panel._from_frame(panel().frame.drop(2012, level="year")).time_lag("x"),
        e.PanelError,
        "The times are not evenly spaced (2010, 2011, 2013, 2014): a time lag would mix spans. Select an evenly spaced "
        "period first.",
    ),
    "11 NaN": (
        lambda: sde.fit("y ~ x", panel(LONG.assign(x=LONG["x"].where(LONG.index != 7))), W),
        e.DataError,
        "1 value missing: x at u1, 2012. Complete them, drop the units or times explicitly, or leave the variable out.",
    ),
    "11a infinity": (
        lambda: panel(LONG.assign(x=LONG["x"].where(LONG.index != 7, np.inf))),
        e.DataError,
        "1 value infinite: x at u1, 2012. Complete them, drop the units or times explicitly, or leave the variable out.",
    ),
    "11b logarithm of a negative number": (
        lambda: sde.fit("y ~ log(x)", panel(LONG.assign(x=np.arange(40) - 1.0)), W),
        e.DataError,
        "The term 'log(x)' is not a finite number at ('u0', 2010), ('u0', 2011): look at the values there (the logarithm "
        "of zero or of a negative number?).",
    ),
    "12 a dash for missing": (
        lambda: sde.fit("y ~ x", panel(changed("x", 7, "--")), W),
        e.DataError,
        "Variable 'x' holds text where numbers are needed: '--' at u1, 2012.",
    ),
    "13 true and false": (
        lambda: sde.fit("y ~ x", panel(LONG.assign(x=LONG["x"] > 0)), W),
        e.DataError,
        "Variable 'x' is true/false: write 0 and 1, e.g. df['x'].astype(int).",
    ),
    "13a numbers as text": (
        lambda: sde.fit("y ~ x", panel(LONG.assign(x=LONG["x"].astype(str))), W),
        e.DataError,
        "Variable 'x' holds numbers written as text: convert it, df['x'] = pd.to_numeric(df['x']).",
    ),
    "17 constant y": (
        lambda: sde.fit("y ~ x", CROSS.assign(y=1.0), W),
        e.DataError,
        "The response 'y' is constant: there is nothing to explain.",
    ),
    "18 constant x": (
        lambda: sde.fit("y ~ x + z", CROSS.assign(z=3.0), W, model="sar"),
        e.IdentificationError,
        "No variation in 'z': the intercept absorbs a constant. Leave it out, or choose other effects (fixed=...).",
    ),
    "18a the same x twice": (
        lambda: sde.fit("y ~ x + z", CROSS.assign(z=CROSS["x"]), W, model="sar"),
        e.IdentificationError,
        "The regressors are collinear: 'z' is a combination of 'x'. Leave one of each set out.",
    ),
    "19 a regressor that is the lag of another": (
        lambda: sde.fit("y ~ x + z", panel().assign(z=lambda p: p.lag("x", W)), W),
        e.IdentificationError,
        "The regressors are collinear: 'W_x' is a combination of 'z'. Leave one of each set out.",
    ),
    "21 x constant over time": (
        lambda: sde.fit(
            "y ~ x + z",
            panel().assign(z=lambda p: p["x"].groupby(level="id").transform("mean")),
            W,
            fixed="individual",
        ),
        e.IdentificationError,
        "No variation over time within units in 'z', 'W_z': the individual effects absorb it. Leave it out, or choose "
        "other effects (fixed=...).",
    ),
    "22 x constant over units": (
        lambda: sde.fit(
            "y ~ x + z", panel().assign(z=lambda p: p["x"].groupby(level="year").transform("mean")), W, fixed="time"
        ),
        e.IdentificationError,
        "No variation over units within times in 'z', 'W_z': the time effects absorb it. Leave it out, or choose other "
        "effects (fixed=...).",
    ),
    "23 fewer observations than coefficients": (
        lambda: sde.fit("y ~ x + z", CROSS.iloc[:4], ring(IDS[:4])),
        e.IdentificationError,
        "4 free observations cannot determine 5 coefficients: use fewer regressors, fewer effects or more data.",
    ),
    "26 columns twice": (
        lambda: panel(pd.concat([LONG, LONG[["x"]]], axis=1)),
        e.PanelError,
        "Columns occur more than once: 'x'. Rename or drop them.",
    ),
    "28 dates as years": (
        lambda: panel(LONG.assign(year=pd.to_datetime(LONG["year"].astype(str)))),
        e.PanelError,
        "Column 'year' holds dates: use the year, df['year'] = df['year'].dt.year.",
    ),
    "28a years as decimal numbers": (
        lambda: panel(LONG.assign(year=LONG["year"] * 1.0)),
        e.PanelError,
        "Column 'year' holds decimal numbers such as 2010.0: use integers, df['year'] = df['year'].astype(int).",
    ),
    "28b years as text": (
        lambda: panel(LONG.assign(year=LONG["year"].astype(str))),
        e.PanelError,
        "Column 'year' holds numbers as text such as '2010': use integers, df['year'] = df['year'].astype(int).",
    ),
    "29 an invalid polygon that may not be repaired": (
        lambda: sde.boundaries.check_polygons(
            layer([shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]), *SQUARES[1:]]), repair=False
        ),
        e.BoundaryError,
        "Invalid polygons: 'a' (Self-intersection[0.5 0.5]). Pass repair=True to mend them, or mend the file.",
    ),
    "30 a polygon is missing": (
        lambda: sde.weights.contiguity(layer([None, *SQUARES[1:]])),
        e.BoundaryError,
        "Units without geometry: 'a'. Supply it or leave them out.",
    ),
    "32 a polygon twice": (
        lambda: sde.weights.contiguity(layer(ids="abb")),
        e.AlignmentError,
        "The polygons: 1 label occurs more than once: 'b'. Every unit may occur only once.",
    ),
    "34 distances without a coordinate system": (
        lambda: sde.weights.knn(layer(crs=None), k=1),
        e.BoundaryError,
        "Distances need a coordinate system and the polygons have none: set it, e.g. gdf.set_crs('EPSG:4326') for degrees "
        "of longitude and latitude.",
    ),
    "37 own neighbour": (
        lambda: SpatialWeights([[1, 1], [1, 0]], ["a", "b"]),
        e.WeightsError,
        "A unit is its own neighbour: non-zero diagonal for 'a'. Set the diagonal to zero.",
    ),
    "38 negative weights": (
        lambda: SpatialWeights([[0, -1], [1, 0]], ["a", "b"]),
        e.WeightsError,
        "1 weight negative at (focal, neighbor) ('a', 'b'). Pass allow_negative=True if that is meant.",
    ),
    "38a NaN weights": (
        lambda: SpatialWeights([[0, np.nan], [1, 0]], ["a", "b"]),
        e.WeightsError,
        "1 weight not finite (NaN or inf) at (focal, neighbor) ('a', 'b'). Write 0 where there is no link.",
    ),
    "39 W is not square": (
        lambda: SpatialWeights(np.zeros((2, 3)), ["a", "b"]),
        e.WeightsError,
        "The weights matrix is not square: 2 rows, 3 columns.",
    ),
    "39a W of the wrong size": (
        lambda: SpatialWeights(np.zeros((2, 2)), ["a", "b", "c"]),
        e.WeightsError,
        "The weights matrix has 2 rows but there are 3 labels: every row needs one label.",
    ),
    "40 islands": (
        lambda: sde.weights.contiguity(layer([*SQUARES[:2], shapely.box(5, 5, 6, 6)])),
        e.IslandError,
        "1 unit without neighbours: 'c'. Pass islands='nearest' to link each with its nearest unit, islands='keep' to "
        "leave their rows empty, or leave these units out.",
    ),
    "45 every weight the same, with time effects": (
        lambda: sde.fit("y ~ x", panel(), SpatialWeights(1 - np.eye(N), IDS, normalization="row")),
        e.IdentificationError,
        "Every unit has every other as neighbour with the same weight: with time effects the spatial lag is a multiple of "
        "the response itself, and rho is not identified. Use other weights or drop the time effects.",
    ),
    "50 one year with fixed effects": (
        lambda: sde.fit("y ~ x", panel(LONG[LONG["year"] == 2010]), W),
        e.OptionError,
        "fixed='two-way' needs at least two times; the panel has 1. Use fixed='none'.",
    ),
    "52 no permutations": (
        lambda: sde.moran(CROSS["x"], W, permutations=0),
        e.OptionError,
        "permutations=0 is not allowed: give a whole number of at least 1.",
    ),
    "53 NaN in Moran": (
        lambda: sde.moran(CROSS["x"].where(CROSS.index != "u3"), W),
        e.DataError,
        "'x': 1 unit without a finite number (NaN or inf): 'u3'. Fill the gaps, or leave these units out of both sides "
        "(series.drop(ids), w.subset(ids)).",
    ),
    "53a a constant in Moran": (
        lambda: sde.moran(CROSS["x"] * 0 + 1, W),
        e.DataError,
        "'x': all 8 units have the same value 1; a constant has no spatial pattern.",
    ),
    "55 eigenvalues that would not fit": (
        lambda: sde.fit(
            "y ~ x",
            pd.DataFrame(RNG.standard_normal((7000, 2)), columns=["x", "y"], index=[f"r{i}" for i in range(7000)]),
            _long_ring(7000),
            model="sar",
            logdet="eigenvalues",
        ),
        e.CapacityError,
        "Eigenvalues of 7,000 x 7,000 weights would need about 1.2 GB; the limit is 6,000 units. Use logdet='sparse'.",
    ),
    "55 information that would not fit": (
        lambda: sde.fit(
            "y ~ x",
            pd.DataFrame(RNG.standard_normal((7000, 2)), columns=["x", "y"], index=[f"r{i}" for i in range(7000)]),
            _long_ring(7000),
            model="sar",
            information="expected",
        ),
        e.CapacityError,
        "This needs dense matrices of 7,000 x 7,000 units, 0.4 GB each; the limit is 6,000 units. Observed information "
        "and classical standard errors do without.",
    ),
    "A ln for log": (
        lambda: sde.fit("ln(y) ~ x", panel(), W),
        e.FormulaError,
        "The formula names 'ln', which is not in the data. The natural logarithm is log(x). There are 'x', 'y', 'z'.",
    ),
    "A the time column in a formula": (
        lambda: sde.fit("y ~ x + C(year)", panel(), W),
        e.FormulaError,
        "The formula names 'year', which is not in the data. 'year' labels the rows: effects of units and times are "
        "chosen by fixed='individual', 'time', 'two-way'. There are 'x', 'y', 'z'.",
    ),
    "A full-width signs in a formula": (
        lambda: sde.fit("y ~ x ＋ z", panel(), W),
        e.FormulaError,
        "The formula 'y ~ x ＋ z' cannot be read: write it as 'y ~ x + z', without full-width signs.",
    ),
    "1 what a filter left of positions": (
        lambda: sde.fit("y ~ x", CROSS.set_axis([3, 7, *range(20, 26)]), W),
        e.AlignmentError,
        "The data carry no unit labels (their index is 3, 7, 20, ...), the weights do, such as 'u0', 'u1' and 6 "
        "more: use "
        "df.set_index(...) for a cross-section, sde.Panel(df, unit=..., time=...) for a panel.",
    ),
    "5 a short and a long form of names": (
        lambda: sde.fit(
            "y ~ x", CROSS.set_axis([f"{x}市" for x in "甲乙丙丁戊己庚辛"]), ring(list("甲乙丙丁戊己庚辛"))
        ),
        e.AlignmentError,
        "The units of weights and data are not the same; 8 units of data not in weights: '丁市', '丙市', '乙市', '己市', "
        "'庚市' and 3 more; 8 units of weights not in data: '甲', '乙', '丙', '丁', '戊' and 3 more. Are '丁' and '丁市' the "
        "same unit? Then write the labels alike on both sides. Drop or add units explicitly (w.subset(ids), "
        "panel.select(units=...)) so that both hold the same ones.",
    ),
    "33 metres called degrees": (
        lambda: sde.weights.knn(layer([shapely.box(i, 0, i + 1e5, 3e4) for i in range(3)]), k=1),
        e.BoundaryError,
        "Coordinates of 'a', 'b', 'c' are no degrees of longitude and latitude, as EPSG:4326 has them: they go up to "
        "100,002. Name the true system, gdf.set_crs(..., allow_override=True).",
    ),
    "A a map of a name": (
        lambda: sde.maps.choropleth(layer(), "x"),
        e.OptionError,
        "A map needs a series or a table indexed by unit, not str: e.g. gdf['column'], panel['variable'].",
    ),
    "A a table with an ending": (
        lambda: sde.tables.write(CROSS, "t.docx"),
        e.OptionError,
        "path_stem='t.docx' ends in '.docx': leave the ending out, and choose formats=('md',).",
    ),
    "A rho and lambda that can change places": (
        lambda: sde.fit("y ~ 1", panel(), W, model="sac"),
        e.IdentificationError,
        "model='sac' without regressors cannot tell rho from lambda, which can change places: use model='sar' or 'sem', "
        "or add regressors.",
    ),
    "A misspelt model": (
        lambda: sde.fit("y ~ x", panel(), W, model="sdn"),
        e.OptionError,
        "model='sdn' is not available: use one of 'ols', 'slx', 'sar', 'sem', 'sac', 'sdm', 'sdem', 'gns'. Did you mean 'sdm'?",
    ),
    "B misspelt effects": (
        lambda: sde.fit("y ~ x", panel(), W, fixed="twoway"),
        e.OptionError,
        "fixed='twoway' is not available: use one of 'none', 'individual', 'time', 'two-way'. Did you mean 'two-way'?",
    ),
    "C a formula with an unknown name": (
        lambda: sde.fit("y ~ xx", panel(), W),
        e.FormulaError,
        "The formula names 'xx', which is not in the data. Did you mean 'x'? There are 'x', 'y', 'z'.",
    ),
    "D weights of another library": (
        lambda: sde.fit("y ~ x", panel(), W.to_graph()),
        e.WeightsError,
        "Weights must be SpatialWeights, not Graph: use sde.weights.from_graph(...) for libpysal objects, "
        "sde.weights.from_matrix(a, ids) for matrices.",
    ),
    "E a long table instead of a panel": (
        lambda: sde.fit("y ~ x", LONG.set_index(["id", "year"]), W),
        e.DataError,
        "The data are indexed by pairs such as ('u0', 2010): for a panel build sde.Panel(df.reset_index(), unit=..., "
        "time=...); a cross-section has one label per row.",
    ),
    "F an array instead of a table": (
        lambda: sde.fit("y ~ x", CROSS.to_numpy(), W),
        e.DataError,
        "Data must be a Panel or a DataFrame indexed by unit, not ndarray.",
    ),
    "G no weights": (
        lambda: sde.fit("y ~ x", panel()),
        e.OptionError,
        "model='sdm' needs spatial weights: fit(formula, data, w, model='sdm').",
    ),
    "H a lag in the formula": (
        lambda: sde.fit("y ~ lag(x)", panel(), W),
        e.FormulaError,
        "lag() in a formula would shift rows across units: use panel.time_lag(column) and assign() instead.",
    ),
    "I an array as a variable": (
        lambda: panel().assign(q=np.zeros(40)),
        e.DataError,
        "Variable 'q': a ndarray has no labels; give a Series indexed by (id, year), so that its order cannot matter.",
    ),
}

WARNED = {
    "10 a gap in years": (
        lambda: panel(LONG[LONG["year"] != 2012]),
        e.DataWarning,
        "The times are not evenly spaced: the step before 2013 is not 1.",
    ),
    "4a no labels on either side": (
        lambda: sde.fit("y ~ x", CROSS.reset_index(drop=True), ring(range(N)), model="sar"),
        e.AlignmentWarning,
        "Neither the data nor the weights carry labels: rows are matched by position. Set the index of both to the unit's "
        "id to be safe.",
    ),
    "20 nearly collinear": (
        lambda: sde.fit("y ~ x + z", panel(LONG.assign(z=LONG["x"] + 1e-11 * LONG["z"])), W, model="sar"),
        e.EstimationWarning,
        "The regressors are nearly collinear (condition number 3.0e+11; 'x' is almost a combination of the others): "
        "coefficients hinge on the last digits of the data.",
    ),
    "51 the direct form with few units": (
        lambda: sde.fit("y ~ x", panel(), W, bias="none"),
        e.EstimationWarning,
        "bias='none' with two-way effects at N = 8, T = 5: rho is biased downwards and its intervals are too narrow (at "
        "N = 31, T = 12 by about 0.1, covering 64 to 75 % instead of 95 %). The default bias='lee-yu' corrects this.",
    ),
    "J weights without links": (
        lambda: sde.fit("y ~ x", panel(), SpatialWeights(np.zeros((N, N)), IDS)),
        e.EstimationWarning,
        "The weights hold no links: rho, lambda and theta of 'sdm' are not identified, and the model is estimated without "
        "spatial terms.",
    ),
    "L weights made of the response": (
        lambda: sde.fit("y ~ x", panel(), sde.weights.economic(panel()["y"])),
        e.EndogenousWeightsWarning,
        "The weights were built from 'y', which the response 'y' is made of: they are endogenous, and estimates of "
        "spillovers are biased. Use another variable, or values from before the sample.",
    ),
    "I interactions with categories": (
        lambda: sde.fit("y ~ x + x:C(side)", panel(LONG.assign(side=np.where(LONG["id"] < "u4", "a", "b"))), W),
        e.EstimationWarning,
        "Interactions with categories ('x:C(side)[T.b]') are controls only: they are not spatially lagged, and effects "
        "are those of the base category. Build the products as columns to lag them.",
    ),
    "K Driscoll-Kraay over few years": (
        lambda: sde.fit("y ~ x", panel(), W, cov="driscoll-kraay"),
        e.EstimationWarning,
        "Driscoll-Kraay standard errors rest on 5 times for 4 parameters; their theory needs many times, and in short "
        "panels they are too small, often by half or more. Prefer cov='cluster'.",
    ),
}


def _long_ring(n):
    from scipy import sparse

    i = np.arange(n)
    links = (np.ones(2 * n), (np.r_[i, (i + 1) % n], np.r_[(i + 1) % n, i]))
    return SpatialWeights(sparse.coo_array(links, shape=(n, n)), [f"r{k}" for k in i], normalization="row")


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_the_exact_message(case):
    call, error, message = REFUSED[case]
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    assert str(caught.value) == message


@pytest.mark.parametrize("case", WARNED)
def test_warned_with_the_exact_message(case):
    call, category, message = WARNED[case]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()
    assert [(item.category, str(item.message)) for item in caught] == [(category, message)]
    if hasattr(result, "notes") and category is e.EstimationWarning:
        assert message in result.notes


def test_warnings_point_at_the_line_of_the_user():
    for call, *_ in WARNED.values():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call()
        assert caught[0].filename == __file__, caught[0]


@pytest.mark.parametrize("dtype", ["float32", "int32", "int8", "Int64", "Float64"])
def test_number_types_are_all_the_same(dtype):
    """Input 14: small integer types must not overflow, nullable types must not become objects."""
    values = np.arange(40) % 7
    frame = LONG.assign(x=pd.Series(values, index=LONG.index).astype(dtype))
    expected = sde.fit("y ~ x", panel(LONG.assign(x=values * 1.0)), W)
    found = sde.fit("y ~ x", panel(frame), W)
    pd.testing.assert_series_equal(found.params, expected.params, rtol=1e-12)
