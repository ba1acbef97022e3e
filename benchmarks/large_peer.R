# SDM with 1,000-draw impacts in spatialreg on the data that bench_large.py wrote; called by it.
# Arguments: folder, repetitions. Prints "name value" lines.
arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
repeats <- as.integer(arguments[2])

source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "peer_data.R"))

seconds <- numeric(repeats)
trouble <- "none"
for (i in seq_len(repeats)) {
  set.seed(i)
  seconds[i] <- system.time({
    fit <- lagsarlm(y ~ x1 + x2, data = frame, listw = listw, Durbin = TRUE, method = "Matrix")
    traces <- trW(as(listw, "CsparseMatrix"), type = "MC")
    tryCatch(
      summary(impacts(fit, tr = traces, R = 1000), zstats = TRUE, short = TRUE),
      error = function(e) trouble <<- gsub("[ |]+", "_", sub(".*: ", "", conditionMessage(e)))
    )
  })[["elapsed"]]
}
cat("seconds", median(seconds), "\n")
cat("rho", format(fit$rho, digits = 15), "\n")
cat("se", format(fit$rho.se, digits = 15), "\n")
total <- (fit$coefficients[["x1"]] + fit$coefficients[["lag.x1"]]) / (1 - fit$rho)
cat("total", format(total, digits = 15), "\n")
cat("trouble", trouble, "\n")
cat("version", as.character(packageVersion("spatialreg")), "\n")
