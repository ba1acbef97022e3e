# Predictions of spatialreg for crime in Columbus: in sample, and of the last nine neighbourhoods from the other forty.
# Run beside columbus.csv and columbus_links.csv: Rscript columbus_predictions.R
suppressMessages({
  library(spdep)
  library(spatialreg)
  library(jsonlite)
})
table <- read.csv("columbus.csv")
rownames(table) <- table$id
links <- read.csv("columbus_links.csv")
n <- nrow(table)
binary <- matrix(0, n, n, dimnames = list(table$id, table$id))
binary[cbind(match(links$focal, table$id), match(links$neighbor, table$id))] <- 1
whole <- mat2listw(binary, style = "W")
old <- table$id <= 40
part <- mat2listw(binary[old, old], style = "W")
fits <- function(data, listw) {
  list(
    sar = lagsarlm(CRIME ~ INC + HOVAL, data, listw, method = "eigen", tol.solve = 1e-20),
    sdm = lagsarlm(CRIME ~ INC + HOVAL, data, listw, Durbin = TRUE, method = "eigen", tol.solve = 1e-20),
    sem = errorsarlm(CRIME ~ INC + HOVAL, data, listw, method = "eigen", tol.solve = 1e-20)
  )
}
numbers <- function(x) as.vector(unclass(x))
out <- list(peer = paste("spatialreg", packageVersion("spatialreg")), command = "predict.Sarlm, legacy = FALSE")
inside <- fits(table, whole)
outside <- fits(table[old, ], part)
new <- table[!old, ]
for (model in names(inside)) {
  types <- if (model == "sem") c("trend", "TS") else c("trend", "TS", "TC", "BP")
  for (type in types) {
    out[["in"]][[model]][[type]] <- numbers(predict(inside[[model]], listw = whole, pred.type = type))
  }
  types <- if (model == "sem") "trend" else c("trend", "TC", "BP", "BPN", "TC1")
  for (type in types) {
    out[["out"]][[model]][[type]] <- suppressWarnings(numbers(
      predict(outside[[model]], newdata = new, listw = whole, pred.type = type, legacy = FALSE)
    ))
  }
  both <- list(`in` = inside[[model]], out = outside[[model]])
  for (where in names(both)) {
    out$params[[where]][[model]] <- numbers(coef(both[[where]]))
  }
}
writeLines(toJSON(out, digits = 12, pretty = TRUE, auto_unbox = TRUE), "columbus_predictions.json")
