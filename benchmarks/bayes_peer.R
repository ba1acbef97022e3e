# Bayesian SAR, SDM, SEM and SDEM in spatialreg on the data that bench_bayes.py wrote; called by it.
# Arguments: folder, model, draws. Prints "name value" lines.
arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
model <- arguments[2]
draws <- as.integer(arguments[3])

source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "peer_data.R"))

set.seed(1)
control <- list(ndraw = draws + 500L, nomit = 500L)
seconds <- system.time(
  fit <- switch(model,
    sar = spBreg_lag(y ~ x1 + x2, data = frame, listw = listw, control = control),
    sdm = spBreg_lag(y ~ x1 + x2, data = frame, listw = listw, Durbin = TRUE, control = control),
    sem = spBreg_err(y ~ x1 + x2, data = frame, listw = listw, control = control),
    sdem = spBreg_err(y ~ x1 + x2, data = frame, listw = listw, Durbin = TRUE, control = control)
  )
)[["elapsed"]]
spatial <- fit[, if (model %in% c("sem", "sdem")) "lambda" else "rho"]
cat("seconds", seconds, "\n")
cat("mean", format(mean(spatial), digits = 15), "\n")
cat("sd", format(sd(spatial), digits = 15), "\n")
cat("effective", coda::effectiveSize(spatial), "\n")
cat("version", as.character(packageVersion("spatialreg")), "\n")
