# What bench_large.py wrote into a folder, as `listw` and `frame`; sourced by the scripts of peers.
suppressPackageStartupMessages({library(spdep); library(spatialreg)})
integers <- function(name) {
  path <- file.path(folder, name)
  readBin(path, "integer", n = file.size(path) / 4, size = 4)
}
numbers <- function(name) {
  path <- file.path(folder, name)
  readBin(path, "double", n = file.size(path) / 8, size = 8)
}

start <- integers("indptr.bin")
n <- length(start) - 1L
owner <- factor(rep.int(seq_len(n), diff(start)), levels = seq_len(n))
neighbours <- unname(split(integers("indices.bin") + 1L, owner))
attributes(neighbours) <- list(class = "nb", region.id = as.character(seq_len(n)), call = "bench", sym = TRUE)
listw <- nb2listw(neighbours, style = "W")
frame <- data.frame(y = numbers("y.bin"), x1 = numbers("x1.bin"), x2 = numbers("x2.bin"))
