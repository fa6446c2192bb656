//! The options of every list: its columns, its order, the number of its rows.

use clap::Args;

use crate::cli::failure::Failure;
use crate::reports::Report;
use crate::reports::arrangement::{Arrangement, SortKey};

#[derive(Args, Clone, Default, Debug)]
pub(super) struct RowArgs {
    /// Only these columns, in this order
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',')]
    columns: Vec<String>,
    /// Sort by this column; `-` before it puts the largest first
    #[arg(
        long,
        value_name = "[-]COLUMN,...",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    sort: Vec<String>,
    /// Only the first N rows; totals stay those of all rows
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

impl RowArgs {
    pub(super) fn arrangement(self) -> Arrangement {
        let key = |text: String| {
            let column = text.strip_prefix('-');
            SortKey {
                is_descending: column.is_some(),
                column: column.unwrap_or(&text).to_owned(),
            }
        };
        Arrangement {
            columns: self.columns,
            sort: self.sort.into_iter().map(key).collect(),
            limit: self.limit,
        }
    }

    /// Arranges a list.
    pub(super) fn arrange(self, list: Report) -> Result<Report, Failure> {
        Ok(self.arrangement().apply(list, None)?)
    }
}
