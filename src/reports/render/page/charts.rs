//! Charts as inline SVG. Colours stand for roles that the style sheet of the page gives a colour by day and by night.
//!
//! Every chart is drawn twice, wide and narrow, because texts in a picture shrink with it. Coordinates are doubled, since
//! the library places everything on whole ones.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::shown::number;
use crate::domain::time::BusinessDate;

type Drawn<T> = Result<T, DrawingAreaErrorKind<std::io::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The roles of the style sheet.
const GAIN: RGBColor = RGBColor(1, 0, 0);
const LOSS: RGBColor = RGBColor(2, 0, 0);
const LINE: RGBColor = RGBColor(3, 0, 0);
const AREA: RGBColor = RGBColor(4, 0, 0);
const MARK: RGBColor = RGBColor(5, 0, 0);
const GRID: RGBColor = RGBColor(6, 0, 0);
const TEXT: RGBColor = RGBColor(7, 0, 0);
const AXIS: RGBColor = RGBColor(8, 0, 0);

/// Width and height of the two drawings.
const WIDE: (u32, u32) = (1840, 420);
const NARROW: (u32, u32) = (720, 420);
const LEFT: u32 = 130;
const BOTTOM: u32 = 40;
const TOP: u32 = 36;
const RIGHT: u32 = 12;
const FONT: u32 = 25;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Bars up and down from zero.
    Bars,
    /// A line over an area.
    Line,
}

/// A figure in minor units for each date, or for each longer unit by its first date.
pub(super) struct Chart<'a> {
    pub kind: Kind,
    pub points: &'a [(BusinessDate, i64)],
    /// Whether each point has a mark.
    pub marks: &'a [bool],
}

/// A drawing, and the parts of its width between which the points lie.
pub(super) struct Drawing {
    pub svg: String,
    pub left: f64,
    pub right: f64,
}

/// The wide and the narrow drawing, with a label for readers who do not see it.
///
/// # Panics
/// A drawing in memory does not fail.
pub(super) fn draw(chart: &Chart<'_>, label: &str) -> [Drawing; 2] {
    [("wide", WIDE), ("narrow", NARROW)].map(|(class, size)| {
        let mut svg = String::new();
        chart.drawn(&mut svg, size).expect("memory takes a drawing");
        let end = svg.find('>').expect("an element");
        let (width, height) = size;
        let tag = format!(
            "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{label}\""
        );
        let percent = |x: u32| f64::from(x) * 100.0 / f64::from(width);
        Drawing {
            svg: tag + &compact(&svg[end..]),
            left: percent(LEFT),
            right: percent(width - RIGHT),
        }
    })
}

/// Leaves out what the style sheet says.
fn compact(svg: &str) -> String {
    let font = format!("font-size=\"{}\" ", f64::from(FONT) / 1.24);
    [
        " opacity=\"1\"",
        " stroke=\"none\"",
        "font-family=\"sans-serif\" ",
        &font,
        "\n",
    ]
    .iter()
    .fold(svg.to_owned(), |svg, said| svg.replace(said, ""))
}

impl Chart<'_> {
    fn drawn(&self, svg: &mut String, size: (u32, u32)) -> Drawn<()> {
        let root = SVGBackend::with_string(svg, size).into_drawing_area();
        let values = || self.points.iter().map(|(_, minor)| *minor as f64 / 100.0);
        let (low, high) = (values().fold(0.0, f64::min), values().fold(0.0, f64::max));
        let room = (high - low).max(1.0) * 0.04;
        let (low, high) = (if low < 0.0 { low - room } else { low }, high + room);
        let count = self.points.len() as f64;
        let mut chart = ChartBuilder::on(&root)
            .margin_top(TOP)
            .margin_right(RIGHT)
            .set_label_area_size(LabelAreaPosition::Left, LEFT)
            .set_label_area_size(LabelAreaPosition::Bottom, BOTTOM)
            .build_cartesian_2d(0.0..count, low..high)?;
        let text = |h, v| {
            let font = ("sans-serif", FONT).into_text_style(&root);
            font.color(&TEXT).pos(Pos::new(h, v))
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .disable_x_axis()
            .y_labels(5)
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID.stroke_width(2))
            .axis_style(TRANSPARENT)
            .y_label_style(text(HPos::Right, VPos::Center))
            .y_label_formatter(&|value| number(&format!("{value:.0}")))
            .draw()?;
        let at = |x: f64, y: f64| chart.backend_coord(&(x, y));
        match self.kind {
            Kind::Bars => self.bars(&root, &at)?,
            Kind::Line => self.line(&root, &at)?,
        }
        let (start, zero) = at(0.0, 0.0);
        let axis = PathElement::new(
            vec![(start, zero), (at(count, 0.0).0, zero)],
            AXIS.stroke_width(2),
        );
        root.draw(&axis)?;
        let y = i32::try_from(size.1 - BOTTOM + 10).expect("small");
        for (place, words, anchor) in self.labels(size.0) {
            root.draw(&Text::new(
                words,
                (at(place, 0.0).0, y),
                text(anchor, VPos::Top),
            ))?;
        }
        root.present()
    }

    fn bars(&self, root: &Area<'_>, at: &dyn Fn(f64, f64) -> (i32, i32)) -> Drawn<()> {
        let marks = self.marks.iter().copied().chain(std::iter::repeat(false));
        for ((place, (_, minor)), is_marked) in (0_u32..).zip(self.points).zip(marks) {
            let place = f64::from(place);
            let (from, to) = (
                at(place + 0.14, 0.0),
                at(place + 0.86, *minor as f64 / 100.0),
            );
            let to = (to.0.max(from.0 + 1), to.1);
            if *minor != 0 {
                let colour = if *minor > 0 { GAIN } else { LOSS };
                let (top, bottom) = (from.1.min(to.1), from.1.max(to.1).max(from.1.min(to.1) + 1));
                root.draw(&Rectangle::new(
                    [(from.0, top), (to.0, bottom)],
                    colour.filled(),
                ))?;
            }
            if is_marked {
                let middle = i32::midpoint(from.0, to.0);
                let size = (to.0 - from.0).clamp(5, 9);
                let corners = vec![
                    (middle - size, 6),
                    (middle + size, 6),
                    (middle, 6 + 2 * size),
                ];
                root.draw(&Polygon::new(corners, MARK.filled()))?;
            }
        }
        Ok(())
    }

    fn line(&self, root: &Area<'_>, at: &dyn Fn(f64, f64) -> (i32, i32)) -> Drawn<()> {
        let places = (0_u32..).zip(self.points);
        let line =
            places.map(|(place, (_, minor))| at(f64::from(place) + 0.5, *minor as f64 / 100.0));
        let line: Vec<_> = line.collect();
        let (Some(first), Some(last)) = (line.first(), line.last()) else {
            return Ok(());
        };
        let zero = at(0.0, 0.0).1;
        let mut area = vec![(first.0, zero)];
        area.extend(&line);
        area.push((last.0, zero));
        root.draw(&Polygon::new(area, AREA.filled()))?;
        if line.len() == 1 {
            root.draw(&Circle::new(line[0], 6, LINE.filled()))?;
        }
        root.draw(&PathElement::new(line, LINE.stroke_width(4)))
    }

    /// The dates under the axis: at the left of their bar, as many as there is room for.
    fn labels(&self, width: u32) -> Vec<(f64, String, HPos)> {
        let count = self.points.len();
        let room = usize::try_from(width / 150).expect("small").max(2);
        let firsts = |day: fn(BusinessDate) -> bool| -> Vec<usize> {
            let dates = self.points.iter().enumerate();
            let chosen = dates
                .filter(|(_, (date, _))| day(*date))
                .map(|(place, _)| place);
            chosen.collect()
        };
        let every = count.div_ceil(room).max(1);
        let choices = [
            (0..count).collect(),
            firsts(|date| date.civil().weekday() == jiff::civil::Weekday::Monday),
            firsts(|date| date.civil().day() == 1),
            (0..count).step_by(every).collect(),
        ];
        let fits = |places: &&Vec<usize>| (2..=room).contains(&places.len());
        let chosen = choices.iter().find(fits).unwrap_or(&choices[3]);
        let is_long = count > 1 && self.points[1].0 > self.points[0].0.plus_days(20);
        let format = if is_long || count > 200 {
            "%b %Y"
        } else {
            "%-d %b"
        };
        let label = |place: &usize| {
            let words = self.points[*place].0.civil().strftime(format).to_string();
            (*place as f64 + 0.5, words, HPos::Center)
        };
        chosen.iter().map(label).collect()
    }
}
