//! Aligned columns without borders.

use super::terminal::plain;

/// Characters of a free text that a terminal shows, so that rows stay on their line.
const TEXT_MAX: usize = 28;

/// A column's heading, and how its cells stand.
#[derive(Clone, Copy, Debug)]
pub enum Column {
    /// Words and ids: never cut.
    Left(&'static str),
    /// Numbers.
    Right(&'static str),
    /// Text that people wrote: cut on a terminal.
    Text(&'static str),
}

/// Rows under headings. Cells are neutralised.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    cells: Vec<String>,
    remarks: Vec<String>,
}

impl Column {
    fn heading(self) -> &'static str {
        match self {
            Self::Left(heading) | Self::Right(heading) | Self::Text(heading) => heading,
        }
    }

    fn shown(self, cell: &str, is_terminal: bool) -> String {
        match self {
            Self::Text(_) if is_terminal && width(cell) > TEXT_MAX => {
                cell.chars().take(TEXT_MAX - 1).chain(['…']).collect()
            }
            _ => cell.to_owned(),
        }
    }
}

impl Table {
    pub fn new(columns: impl Into<Vec<Column>>) -> Self {
        Self { columns: columns.into(), rows: Vec::new() }
    }

    /// Adds a row: one cell for each column.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        debug_assert_eq!(N, self.columns.len(), "a row has a cell for each column");
        let cells = cells.iter().map(|cell| plain(cell).into_owned()).collect();
        self.rows.push(Row { cells, remarks: Vec::new() });
    }

    /// Says more about the last row, on a further line of its own.
    pub fn remark(&mut self, remark: &str) {
        if let Some(row) = self.rows.last_mut() {
            row.remarks.push(plain(remark).into_owned());
        }
    }

    /// The lines, each with its line break, none ending in blanks.
    pub fn render(&self, is_terminal: bool) -> String {
        let shown =
            |row: &Row| self.columns.iter().zip(&row.cells).map(|(c, text)| c.shown(text, is_terminal)).collect();
        let headings: Vec<String> = self.columns.iter().map(|column| column.heading().to_owned()).collect();
        let rows: Vec<Vec<String>> = self.rows.iter().map(shown).collect();
        let widest = |index: usize| {
            let cells = rows.iter().chain([&headings]).map(|cells| width(&cells[index]));
            cells.max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(widest).collect();
        let mut lines = vec![self.line(&headings, &widths)];
        for (row, cells) in self.rows.iter().zip(&rows) {
            lines.push(self.line(cells, &widths));
            lines.extend(row.remarks.iter().map(|remark| format!("  {remark}\n")));
        }
        lines.concat()
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let padded = self.columns.iter().zip(cells).zip(widths).map(|((column, cell), width)| match column {
            Column::Right(_) => format!("{cell:>width$}"),
            Column::Left(_) | Column::Text(_) => format!("{cell:<width$}"),
        });
        let padded: Vec<String> = padded.collect();
        format!("{}\n", padded.join("  ").trim_end())
    }
}

/// In characters: close enough to columns for what a shop shows.
fn width(text: &str) -> usize {
    text.chars().count()
}

/// Names and values of one thing, one a line; what has no value is left out.
pub fn fields<const N: usize>(fields: [(&str, Option<String>); N]) -> String {
    let shown = || fields.iter().filter_map(|(name, value)| value.as_ref().map(|value| (name, value)));
    let width = shown().map(|(name, _)| width(name)).max().unwrap_or_default();
    let lines: Vec<String> = shown().map(|(name, value)| format!("{name:<width$}  {}", plain(value))).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_have_no_tail() {
        let mut table = Table::new([Column::Left("SKU"), Column::Text("NAME"), Column::Right("LEFT")]);
        table.row(["123".to_owned(), "Łaptop".to_owned(), "9".to_owned()]);
        table.row(["456789".to_owned(), "M\u{1b}".to_owned(), "1000".to_owned()]);
        let expected = "SKU     NAME     LEFT\n123     Łaptop      9\n456789  M\\u{1b}  1000\n";
        assert_eq!(table.render(true), expected);
    }

    #[test]
    fn free_text_is_cut_on_a_terminal_only() {
        let mut table = Table::new([Column::Text("NAME")]);
        table.row(["x".repeat(40)]);
        assert_eq!(table.render(true), format!("NAME\n{}…\n", "x".repeat(27)));
        assert_eq!(table.render(false), format!("NAME\n{}\n", "x".repeat(40)));
    }

    #[test]
    fn a_field_without_a_value_is_left_out() {
        let text = fields([("order", Some("7".to_owned())), ("reason", None), ("total", Some("1 EUR".to_owned()))]);
        assert_eq!(text, "order  7\ntotal  1 EUR");
    }
}
