# Bayesian SAR, SDM and SEM in spatialreg on the data that bench_bayes.py wrote; called by it.
# Arguments: folder, model, draws. Prints "name value" lines.
suppressPackageStartupMessages({library(spdep); library(spatialreg)})
arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
model <- arguments[2]
draws <- as.integer(arguments[3])

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

set.seed(1)
control <- list(ndraw = draws + 500L, nomit = 500L)
seconds <- system.time(
  fit <- switch(model,
    sar = spBreg_lag(y ~ x1 + x2, data = frame, listw = listw, control = control),
    sdm = spBreg_lag(y ~ x1 + x2, data = frame, listw = listw, Durbin = TRUE, control = control),
    sem = spBreg_err(y ~ x1 + x2, data = frame, listw = listw, control = control)
  )
)[["elapsed"]]
spatial <- fit[, if (model == "sem") "lambda" else "rho"]
cat("seconds", seconds, "\n")
cat("mean", format(mean(spatial), digits = 15), "\n")
cat("sd", format(sd(spatial), digits = 15), "\n")
cat("effective", coda::effectiveSize(spatial), "\n")
cat("version", as.character(packageVersion("spatialreg")), "\n")
