# Figures of spatialreg and plm on the samples of the agreement page, as JSON.
#
#   python scripts/agreement.py --export DIR
#   Rscript scripts/peers_spatialreg.R DIR tests/golden/peers
#
# DIR holds a folder for each sample with data.csv and links.csv; one file per sample is written.
suppressMessages({
  library(spatialreg); library(spdep); library(plm); library(jsonlite)
})
arguments <- commandArgs(trailingOnly = TRUE)
source_folder <- arguments[1]
target <- arguments[2]
version <- function(p) as.character(packageVersion(p))

rename <- function(names) {
  names <- sub("^\\(Intercept\\)$", "Intercept", names)
  names <- sub("^lag\\.\\.Intercept\\.$", "lag.(Intercept)", names)
  sub("^lag\\.", "W_", names)
}

labelled <- function(values) setNames(as.list(as.numeric(values)), rename(names(values)))

spatial_case <- function(fit, listw, model, method, command) {
  coefficients <- fit$coefficients
  errors <- fit$rest.se
  names(errors) <- names(coefficients)
  params <- labelled(coefficients)
  se <- labelled(errors)
  if (model %in% c("sar", "sdm", "sac", "gns")) {
    params$rho <- unname(fit$rho); se$rho <- unname(fit$rho.se)
  }
  if (model %in% c("sem", "sdem", "sac", "gns")) {
    params$lambda <- unname(fit$lambda); se$lambda <- unname(fit$lambda.se)
  }
  params$sigma2 <- unname(fit$s2)
  case <- list(model = model, method = method, command = command, params = params, se = se,
               loglik = as.numeric(logLik(fit)))
  if (model %in% c("sar", "sdm", "sac", "gns")) {
    imp <- impacts(fit, listw = listw)
    names <- sub(" dy/dx$", "", attr(imp, "bnames"))
    case$effects <- setNames(lapply(seq_along(names), function(i)
      c(imp$direct[i], imp$indirect[i], imp$total[i])), names)
  }
  case
}

linear_case <- function(fit, model, command) {
  table <- summary(fit)$coefficients
  values <- table[, 1]; errors <- table[, 2]
  names(values) <- names(errors) <- rownames(table)
  params <- labelled(values)
  se <- labelled(errors)
  list(model = model, method = "least squares", command = command, params = params, se = se,
       loglik = as.numeric(logLik(fit)))
}

cross_section <- function(data, links, row, ids) {
  n <- nrow(data)
  neighbours <- lapply(seq_len(n), function(i) as.integer(sort(links$j[links$i == i])))
  class(neighbours) <- "nb"
  attr(neighbours, "region.id") <- as.character(ids)
  style <- if (row) "W" else "B"
  listw <- nb2listw(neighbours, style = style)
  symmetric <- is.symmetric.nb(neighbours, verbose = FALSE)
  sparse_method <- if (symmetric) "Matrix" else "LU"
  y <- names(data)[1]
  formula <- as.formula(paste(y, "~", paste(names(data)[-1], collapse = " + ")))
  cases <- list(linear_case(lm(formula, data), "ols", "lm(formula, data)"))
  slx <- tryCatch(lmSLX(formula, data, listw, Durbin = TRUE), error = function(e) NULL)
  if (!is.null(slx)) cases[[2]] <- linear_case(slx, "slx", "lmSLX(formula, data, listw, Durbin=TRUE)")
  for (method in c("eigen", sparse_method)) {
    calls <- list(
      sar = function() lagsarlm(formula, data, listw, method = method),
      sdm = function() lagsarlm(formula, data, listw, Durbin = TRUE, method = method),
      sem = function() errorsarlm(formula, data, listw, method = method),
      sdem = function() errorsarlm(formula, data, listw, Durbin = TRUE, method = method),
      sac = function() sacsarlm(formula, data, listw, method = method),
      gns = function() sacsarlm(formula, data, listw, Durbin = TRUE, method = method))
    for (model in names(calls)) {
      written <- paste(deparse(body(calls[[model]]), width.cutoff = 500), collapse = "")
      command <- sub("method = method", sprintf("method = '%s'", method), written)
      fit <- tryCatch(suppressWarnings(calls[[model]]()), error = function(e) conditionMessage(e))
      case <- if (is.character(fit)) list(model = model, method = method, command = model, failed = fit) else
        tryCatch(spatial_case(fit, listw, model, method, command),
                 error = function(e) list(model = model, method = method, command = command, failed = conditionMessage(e)))
      cases[[length(cases) + 1]] <- case
    }
  }
  cases
}

panel_cases <- function(table, links) {
  names_x <- setdiff(names(table), c("time", "unit"))
  y <- names_x[1]; x <- names_x[-1]
  n <- length(unique(table$unit))
  W <- matrix(0, n, n); W[cbind(links$i, links$j)] <- 1; W <- W / rowSums(W)
  for (name in x) for (t in unique(table$time)) {
    rows <- table$time == t
    table[rows, paste0("W_", name)] <- as.numeric(W %*% table[rows, name])
  }
  effects <- c(none = NA, individual = "individual", time = "time", "two-way" = "twoways")
  cases <- list()
  for (model in c("ols", "slx")) for (fixed in names(effects)) {
    terms <- if (model == "ols") x else c(x, paste0("W_", x))
    formula <- as.formula(paste(y, "~", paste(terms, collapse = " + ")))
    fit <- if (fixed == "none") plm(formula, table, index = c("unit", "time"), model = "pooling") else
      plm(formula, table, index = c("unit", "time"), model = "within", effect = effects[[fixed]])
    coefficients <- summary(fit)$coefficients
    values <- coefficients[, 1]; errors <- coefficients[, 2]
    names(values) <- names(errors) <- rownames(coefficients)
    command <- if (fixed == "none") "plm(formula, model='pooling')" else
      sprintf("plm(formula, model='within', effect='%s')", effects[[fixed]])
    cases[[length(cases) + 1]] <- list(model = model, fixed = fixed, method = "least squares", command = command,
                                       params = labelled(values), se = labelled(errors))
  }
  cases
}

for (name in list.files(source_folder)) {
  table <- read.csv(file.path(source_folder, name, "data.csv"))
  links <- read.csv(file.path(source_folder, name, "links.csv"))
  if (all(c("time", "unit") %in% names(table))) {
    peer <- "plm"; versions <- version("plm"); cases <- panel_cases(table, links)
  } else {
    peer <- "spatialreg"
    versions <- paste0(version("spatialreg"), " with spdep ", version("spdep"), ", Matrix ", version("Matrix"))
    cases <- cross_section(table[, -1], links, grepl("-row$", name), table[, 1])
  }
  put <- function(cases, file, ...) {
    out <- list(peer = peer, version = versions, script = "scripts/peers_spatialreg.R", sample = name, ..., cases = cases)
    write_json(out, file.path(target, file), auto_unbox = TRUE, digits = NA, pretty = 1)
  }
  wrong <- sapply(cases, function(one) one$method == "Matrix" && grepl("-binary$", name))
  put(cases[!wrong], sprintf("%s_%s.json", name, peer))
  if (any(wrong)) put(cases[wrong], sprintf("known_wrong/%s_%s_matrix.json", name, peer), explanation = paste(
    "With binary weights the log-determinant of method='Matrix' is wrong in this combination of versions: the",
    "log-likelihood printed is not the likelihood at the estimates printed."))
  cat(name, length(cases), "\n")
}
