//! Rows as lines: padded cells, two blanks between columns, rules above and under the rows.

use std::io::{self, Write};

use textwrap::core::display_width;

/// The style of a text. Without colours it is written as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Style {
    Plain,
    Bold,
    Dim,
    Red,
}

impl Style {
    const fn begin(self) -> &'static str {
        match self {
            Style::Plain => "",
            Style::Bold => "\u{1b}[1m",
            Style::Dim => "\u{1b}[2m",
            Style::Red => "\u{1b}[31m",
        }
    }
}

/// A text that may have several lines.
pub(super) struct Text<'a> {
    pub text: &'a str,
    pub style: Style,
}

/// The columns of a grid: how wide each is, and whether its cells stand at the right.
pub(super) struct Lines<'a> {
    pub columns: Vec<(usize, bool)>,
    pub colours: bool,
    pub out: &'a mut dyn Write,
}

impl Lines<'_> {
    /// The width of a row.
    pub(super) fn width(&self) -> usize {
        let gaps = 2 * self.columns.len().saturating_sub(1);
        self.columns.iter().map(|(width, _)| width).sum::<usize>() + gaps
    }

    pub(super) fn rule(&mut self) -> io::Result<()> {
        let width = self.width();
        self.line(&"─".repeat(width), Style::Dim)
    }

    /// A line of its own.
    pub(super) fn line(&mut self, text: &str, style: Style) -> io::Result<()> {
        self.paint(text, style)?;
        writeln!(self.out)
    }

    /// A row of cells. It takes as many lines as its highest cell; short cells of a heading stand at the bottom.
    pub(super) fn row(&mut self, cells: &[Text<'_>], is_heading: bool) -> io::Result<()> {
        let cells: Vec<(Vec<&str>, Style)> = cells
            .iter()
            .map(|cell| (cell.text.lines().collect(), cell.style))
            .collect();
        let height = cells
            .iter()
            .map(|(lines, _)| lines.len())
            .max()
            .unwrap_or(0);
        for line in 0..height.max(1) {
            let mut pending = String::new();
            for (number, (lines, style)) in cells.iter().enumerate() {
                let (width, is_right) = self.columns[number];
                let above = if is_heading { height - lines.len() } else { 0 };
                let text = line.checked_sub(above).and_then(|line| lines.get(line));
                let text = text.copied().unwrap_or_default();
                let room = " ".repeat(width.saturating_sub(display_width(text)));
                if is_right {
                    pending.push_str(&room);
                }
                if !text.is_empty() {
                    write!(self.out, "{pending}")?;
                    pending.clear();
                    self.paint(text, *style)?;
                }
                if !is_right {
                    pending.push_str(&room);
                }
                pending.push_str("  ");
            }
            writeln!(self.out)?;
        }
        Ok(())
    }

    fn paint(&mut self, text: &str, style: Style) -> io::Result<()> {
        if self.colours && style != Style::Plain {
            write!(self.out, "{}{text}\u{1b}[0m", style.begin())
        } else {
            write!(self.out, "{text}")
        }
    }
}
