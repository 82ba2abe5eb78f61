//! Where the bars, lines and labels of a chart stand. The template draws them as SVG, coloured by the style of the page.

use std::fmt;

use super::tables::number;
use super::{Compared, Figures};

/// The drawing, in units that the page scales.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 168.0;

/// What is left free for the numbers on the left, at the top, and for the times below.
const LEFT: f64 = 64.0;
const TOP: f64 = 16.0;
const BELOW: f64 = 26.0;

/// How much of its place a bar takes.
const FILLED: f64 = 0.72;

/// About so many labels have room below the bars.
const LABELS: usize = 8;

/// A length, written with one place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Length(f64);

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}", self.0)
    }
}

/// Bars for the steps of the period, and a line for those of the one before.
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) width: Length,
    pub(super) height: Length,
    /// The line on which the bars stand, and its two ends.
    pub(super) ground: Length,
    pub(super) left: Length,
    pub(super) bars: Vec<Bar>,
    /// The points of the line, as SVG has them; empty where there was nothing.
    pub(super) before: String,
    /// The numbers on the left.
    pub(super) ticks: Vec<Label>,
    /// The times below.
    pub(super) labels: Vec<Label>,
}

pub(super) struct Bar {
    pub(super) x: Length,
    pub(super) y: Length,
    pub(super) width: Length,
    pub(super) height: Length,
    /// What it says when a pointer rests on it.
    pub(super) title: String,
}

pub(super) struct Label {
    pub(super) at: Length,
    pub(super) text: String,
}

/// The charts of a report.
pub(super) fn charts(figures: &Figures) -> [Chart; 2] {
    let course = &figures.course;
    [chart("Failures", &course.failures, figures), chart("New bans", &course.bans, figures)]
}

fn chart(title: &'static str, steps: &[Compared], figures: &Figures) -> Chart {
    let largest = steps.iter().map(|step| step.now.max(step.before)).max().unwrap_or(0);
    let scale = Scale { top: round_up(largest), place: (WIDTH - LEFT) / steps.len().max(1) as f64 };
    let bar = |(place, step): (usize, &Compared)| Bar {
        x: Length(scale.x(place) - scale.place * FILLED / 2.0),
        y: Length(scale.y(step.now)),
        width: Length(scale.place * FILLED),
        height: Length(scale.y(0) - scale.y(step.now)),
        title: format!("{}: {}, before {}", when(figures, place), number(step.now), number(step.before)),
    };
    let point = |(place, step): (usize, &Compared)| {
        format!("{},{}", Length(scale.x(place)), Length(scale.y(step.before)))
    };
    let points: Vec<String> = steps.iter().enumerate().map(point).collect();
    let any_before = steps.iter().any(|step| step.before > 0);
    Chart {
        title,
        width: Length(WIDTH),
        height: Length(HEIGHT),
        ground: Length(scale.y(0)),
        left: Length(LEFT),
        bars: steps.iter().enumerate().map(bar).collect(),
        before: if any_before { points.join(" ") } else { String::new() },
        ticks: ticks(&scale),
        labels: labels(&scale, steps.len(), figures),
    }
}

/// From numbers to places.
struct Scale {
    /// The number at the top.
    top: u64,
    /// How wide the place of a bar is.
    place: f64,
}

impl Scale {
    /// The middle of the place of a step.
    fn x(&self, place: usize) -> f64 {
        LEFT + (place as f64 + 0.5) * self.place
    }

    fn y(&self, number: u64) -> f64 {
        let height = HEIGHT - TOP - BELOW;
        TOP + height * (1.0 - number as f64 / self.top as f64)
    }
}

fn ticks(scale: &Scale) -> Vec<Label> {
    let mut numbers = vec![0, scale.top / 2, scale.top];
    numbers.dedup();
    numbers.into_iter().map(|tick| Label { at: Length(scale.y(tick)), text: number(tick) }).collect()
}

fn labels(scale: &Scale, steps: usize, figures: &Figures) -> Vec<Label> {
    let every = if figures.course.step < 86_400 {
        6 * figures.period.days() as usize
    } else if steps <= LABELS {
        1
    } else {
        steps.div_ceil(LABELS).next_multiple_of(7)
    };
    let label = |place: usize| {
        let text = if figures.course.step < 86_400 {
            format!("{:02}:00", place % 24)
        } else {
            figures.period.from.plus(place as i64).short()
        };
        Label { at: Length(scale.x(place)), text }
    };
    (0..steps).step_by(every).map(label).collect()
}

/// The day of a step, and its hour.
fn when(figures: &Figures, place: usize) -> String {
    if figures.course.step >= 86_400 {
        return figures.period.from.plus(place as i64).to_string();
    }
    format!("{} {:02}:00", figures.period.from.plus(place as i64 / 24), place % 24)
}

/// A number no smaller than this that people like on an axis, and whose half is whole.
fn round_up(number: u64) -> u64 {
    let mut unit: u64 = 1;
    loop {
        for step in [2, 4, 6, 8, 10, 14] {
            match unit.checked_mul(step) {
                Some(round) if round >= number => return round,
                Some(_) => {}
                None => return u64::MAX,
            }
        }
        unit = unit.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::round_up;

    #[test]
    fn an_axis_ends_at_a_round_number() {
        for (number, round) in [
            (0, 2),
            (1, 2),
            (3, 4),
            (9, 10),
            (11, 14),
            (15, 20),
            (1001, 1400),
            (61_000, 80_000),
            (u64::MAX, u64::MAX),
        ] {
            assert_eq!(round_up(number), round, "{number}");
        }
    }
}
