//! The control API: issue, fund, freeze and limit cards over HTTP.
