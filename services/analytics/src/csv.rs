//! Tables as CSV (RFC 4180), which spreadsheets open without running anything in them.

/// A value of a table.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    /// Text that anybody may have written.
    Text(String),
    Number(i64),
    /// A number with so many decimals.
    Decimal(i64, u32),
    Empty,
}

/// Rows under headings.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub headings: &'static [&'static str],
    pub rows: Vec<Vec<Cell>>,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Empty, Into::into)
    }
}

impl Table {
    /// The document, each line with its line break.
    pub fn to_csv(&self) -> String {
        let headings = self.headings.iter().map(|heading| (*heading).to_owned()).collect();
        let rows = self.rows.iter().map(|row| row.iter().map(Cell::to_csv).collect());
        std::iter::once(headings).chain(rows).map(|row: Vec<String>| row.join(",") + "\r\n").collect()
    }
}

impl Cell {
    fn to_csv(&self) -> String {
        match self {
            Self::Text(text) => quoted(&harmless(text)),
            Self::Number(number) => number.to_string(),
            Self::Decimal(number, decimals) => decimal(*number, *decimals),
            Self::Empty => String::new(),
        }
    }
}

/// A spreadsheet takes text that begins with one of these for a formula; an apostrophe before it says that it is text.
fn harmless(text: &str) -> String {
    let is_formula = text.trim_start().starts_with(['=', '+', '-', '@']) || text.starts_with(['\t', '\r', '\n']);
    if is_formula { format!("'{text}") } else { text.to_owned() }
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

fn decimal(number: i64, decimals: u32) -> String {
    let unit = 10_u64.pow(decimals);
    let sign = if number < 0 { "-" } else { "" };
    let (whole, rest) = (number.unsigned_abs() / unit, number.unsigned_abs() % unit);
    format!("{sign}{whole}.{rest:0width$}", width = decimals as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_lines_of_cells() {
        let rows = vec![
            vec![Cell::from("Desk, \"large\""), Cell::Number(-5), Cell::Decimal(-5, 2)],
            vec![Cell::from("two\nlines"), Cell::from(Some(7)), Cell::from(None::<i64>)],
        ];
        let table = Table { headings: &["name", "net", "mean"], rows };
        assert_eq!(table.to_csv(), "name,net,mean\r\n\"Desk, \"\"large\"\"\",-5,-0.05\r\n\"two\nlines\",7,\r\n");
        assert_eq!(Table { headings: &["name"], rows: Vec::new() }.to_csv(), "name\r\n");
    }

    #[test]
    fn text_is_no_formula() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1"] {
            assert_eq!(Cell::from(formula).to_csv(), format!("'{formula}"));
        }
        assert_eq!(Cell::from("\r=1").to_csv(), "\"'\r=1\"");
        assert_eq!(Cell::from("=HYPERLINK(\"a\",1)").to_csv(), "\"'=HYPERLINK(\"\"a\"\",1)\"");
        assert_eq!(Cell::from("a=b").to_csv(), "a=b");
    }
}
