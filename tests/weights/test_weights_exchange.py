"""Weights to and from networkx, Stata's matrices, Matrix Market, and R: nothing is lost on the way."""

import json
import shutil
import subprocess

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.io import mmwrite

from spatial_de.errors import CapacityError, FileError, OptionError, WeightsError
from spatial_de.weights import SpatialWeights, from_graph, read

RAW = np.array([[0, 0.1, 1 / 3, 0], [2, 0, 0, 0], [0.7, 1e-12, 0, 0], [0, 0, 0, 0]])


@pytest.fixture(params=[["a", "b", "c", "d"], [11, 12, 21, 35], ["北京", "天津", "河北", "海南"]])
def w(request):
    return SpatialWeights(RAW, request.param)


def test_networkx_and_back(w):
    graph = w.to_networkx()
    assert isinstance(graph, nx.DiGraph)
    assert list(graph.nodes) == w.ids.tolist()
    assert graph.edges[w.ids[0], w.ids[2]]["weight"] == 1 / 3
    assert graph.number_of_edges() == w.n_links
    assert from_graph(graph, islands="keep") == w


def test_undirected_and_unweighted_networkx_graphs():
    ring = from_graph(nx.cycle_graph(["a", "b", "c", "d"]))
    np.testing.assert_array_equal(ring.to_dense(), np.roll(np.eye(4), 1, 1) + np.roll(np.eye(4), -1, 1))
    assert ring.provenance.rule == "networkx graph"
    with pytest.raises(WeightsError, match="several edges"):
        from_graph(nx.MultiGraph([(0, 1), (0, 1)]))
    with pytest.raises(WeightsError, match="networkx graph, is needed"):
        from_graph(3)


@pytest.mark.parametrize("suffix", [".txt", ".mtx"])
def test_files_bring_back_every_bit(w, tmp_path, suffix):
    path = w.write(tmp_path / f"w{suffix}")
    back = read(path, islands="keep")
    assert back == w
    np.testing.assert_array_equal(back.raw.toarray(), RAW)
    assert back.ids.tolist() == w.ids.tolist()
    turned = w.ids.tolist()[::-1]
    assert read(path, islands="keep", ids=turned).ids.tolist() == turned


def test_a_matrix_of_stata(tmp_path):
    """As ``spmatrix export`` writes it: n, then id and weights."""
    path = tmp_path / "w.txt"
    path.write_text("3\n1 0 .5 .5\n2 1 0 0\n3 1 0 0\n", encoding="utf-8")
    w = read(path)
    assert w.ids.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(w.to_dense(), [[0, 0.5, 0.5], [1, 0, 0], [1, 0, 0]])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("3\n1 0 .5 .5\n2 1 0 0\n", "3 units announced, 2 found"),
        ("2\n1 0 .5 .5\n2 1 0\n", "line 2: expected a label and 2 weights"),
        ("2\n1 0 x\n2 1 0\n", "line 2"),
        ("a b\n", "line 1"),
    ],
)
def test_broken_matrices_of_stata_are_named(tmp_path, text, said):
    path = tmp_path / "w.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FileError, match=said):
        read(path)


def test_matrix_market_without_labels_needs_them(tmp_path):
    path = tmp_path / "w.mtx"
    mmwrite(path, np.array([[0.0, 2.0], [3.0, 0.0]]))
    with pytest.raises(OptionError, match="ids="):
        read(path)
    w = read(path, ids=["x", "y"])
    assert w.to_dense().loc["y", "x"] == 3.0
    (tmp_path / "bad.mtx").write_text("no matrix", encoding="utf-8")
    with pytest.raises(FileError, match="Matrix Market"):
        read(tmp_path / "bad.mtx", ids=["x", "y"])


def test_labels_with_blanks_do_not_go_into_text(tmp_path):
    w = SpatialWeights(1.0 - np.eye(2), ["New York", "Ohio"])
    with pytest.raises(WeightsError, match="New York"):
        w.write(tmp_path / "w.txt")
    assert read(w.write(tmp_path / "w.mtx")) == w


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not there")
def test_r_reads_what_is_written_and_writes_what_is_read(tmp_path):
    """spdep: links as a table go through sn2listw, back by listw2sn; a neighbour list through read.gal."""
    if subprocess.run(["Rscript", "-e", "library(spdep)"], capture_output=True, check=False).returncode:
        pytest.skip("spdep is not there")
    w = SpatialWeights(np.array([[0, 1.0, 1], [1, 0, 0], [1, 0, 0]]), ["a", "b", "c"], normalization="row")
    w.to_edges().to_csv(tmp_path / "links.csv", index=False)
    w.normalized("none").write(tmp_path / "w.gal")
    code = f"""
    suppressMessages(library(spdep)); setwd({json.dumps(str(tmp_path))})
    d <- read.csv("links.csv"); ids <- unique(d$focal)
    sn <- data.frame(from = match(d$focal, ids), to = match(d$neighbor, ids), weights = d$weight)
    class(sn) <- c("spatial.neighbour", "data.frame"); attr(sn, "n") <- length(ids); attr(sn, "region.id") <- ids
    lw <- sn2listw(sn)
    back <- listw2sn(lw)
    out <- data.frame(from = ids[back$from], to = ids[back$to], weights = back$weights)
    write.csv(out, "back.csv", row.names = FALSE)
    cat(card(read.gal("w.gal", override.id = TRUE)))
    """
    done = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip().endswith("2 1 1"), done.stderr
    back = read(tmp_path / "back.csv", focal="from", neighbor="to", weight="weights")
    pd.testing.assert_frame_equal(back.to_dense().loc[w.ids, w.ids], w.to_dense())


def test_a_matrix_that_no_disk_should_hold_is_refused(tmp_path):
    n = 20_001
    ring = sparse.csr_array((np.ones(n), (np.arange(n), (np.arange(n) + 1) % n)), shape=(n, n))
    with pytest.raises(CapacityError, match=r"0\.[0-9] GB.*\.mtx"):
        SpatialWeights(ring, range(n)).write(tmp_path / "w.txt")
    assert not list(tmp_path.iterdir())
