"""Words that figures print, in English and Chinese."""

from __future__ import annotations

from typing import Literal

Language = Literal["en", "zh"]

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "no_data": "No data",
        "source": "Source: ",
        "approval": "Map approval number: ",
        "to": " to ",
        "over": "over ",
        "High-High": "High-High",
        "Low-Low": "Low-Low",
        "Low-High": "Low-High",
        "High-Low": "High-Low",
        "Not significant": "Not significant",
        "No neighbours": "No neighbours",
        "direct": "Direct",
        "indirect": "Indirect",
        "total": "Total",
        "effect": "Effect and 95 % interval",
        "probability": "Posterior probability",
        "loglik": "Log-likelihood",
        "cutoff": "Cutoff, km",
        "lag": "Spatial lag of {name} (standardised)",
        "own": "{name} (standardised)",
        "moran": "Moran's I = {value}",
        "expected": "Expected without dependence",
        "significant": "p < 0.05",
        "insignificant": "p ≥ 0.05",
        "time": "Year",
    },
    "zh": {
        "no_data": "无数据",
        "source": "资料来源：",
        "approval": "审图号：",
        "to": "—",
        "over": "大于",
        "High-High": "高-高聚集",
        "Low-Low": "低-低聚集",
        "Low-High": "低-高聚集",
        "High-Low": "高-低聚集",
        "Not significant": "不显著",
        "No neighbours": "无邻接单元",
        "direct": "直接效应",
        "indirect": "间接效应（溢出）",
        "total": "总效应",
        "effect": "效应及95%置信区间",
        "probability": "后验概率",
        "loglik": "对数似然值",
        "cutoff": "距离阈值(公里)",
        "lag": "{name}的空间滞后（标准化）",
        "own": "{name}（标准化）",
        "moran": "莫兰指数 I = {value}",
        "expected": "无空间相关时的期望值",
        "significant": "p < 0.05",
        "insignificant": "p ≥ 0.05",
        "time": "年份",
    },
}
