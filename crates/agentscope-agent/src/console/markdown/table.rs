//! Tables: shown when they are whole, in columns as wide as their widest cell.

use super::{
    inline::words,
    style::{Style, width_of},
};

const BORDER: &str = " │ ";

/// On which side a column has its space.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Right,
    Left,
    Both,
}

/// Shows rows that begin with `|`; where they are no table, as they were written. A table that is wider than the screen has
/// no columns, because a line that wraps has none.
pub(super) fn show(rows: &[String], width: usize, out: &mut String) {
    let sides = rows.get(1).and_then(|row| sides(row));
    let Some(sides) = sides else {
        for row in rows {
            out.push_str(&words(row, Style::PLAIN));
            out.push('\n');
        }
        return;
    };
    let body = rows.iter().enumerate().filter(|(at, _)| *at != 1);
    let shown: Vec<Vec<String>> = body
        .map(|(at, row)| {
            let style = if at == 0 { Style::BOLD } else { Style::PLAIN };
            cells(row).iter().map(|cell| words(cell, style)).collect()
        })
        .collect();
    let mut columns: Vec<usize> = Vec::new();
    for row in &shown {
        columns.resize(columns.len().max(row.len()), 0);
        for (column, cell) in columns.iter_mut().zip(row) {
            *column = (*column).max(width_of(cell));
        }
    }
    let fits = columns.iter().sum::<usize>() + columns.len().saturating_sub(1) * width_of(BORDER) <= width;
    for (at, row) in shown.iter().enumerate() {
        show_row(row, fits.then_some((&columns, &sides)), out);
        if at == 0 && fits {
            let lines: Vec<String> = columns.iter().map(|column| "─".repeat(*column)).collect();
            Style::DIM.around(&lines.join("─┼─"), out);
            out.push('\n');
        }
    }
}

fn show_row(row: &[String], columns: Option<(&Vec<usize>, &Vec<Side>)>, out: &mut String) {
    let count = columns.map_or(row.len(), |(columns, _)| columns.len());
    for at in 0..count {
        let cell = row.get(at).map_or("", String::as_str);
        if at > 0 {
            Style::DIM.around(BORDER, out);
        }
        let Some((columns, sides)) = columns else {
            out.push_str(cell);
            continue;
        };
        let space = columns.get(at).map_or(0, |column| column.saturating_sub(width_of(cell)));
        let left = match sides.get(at) {
            Some(Side::Left) => space,
            Some(Side::Both) => space / 2,
            _ => 0,
        };
        out.push_str(&" ".repeat(left));
        out.push_str(cell);
        if at + 1 < count {
            out.push_str(&" ".repeat(space - left));
        }
    }
    out.push('\n');
}

/// The cells of a row; `\|` and a bar in code are none of its borders.
fn cells(row: &str) -> Vec<String> {
    let row = row.trim();
    let row = row.strip_prefix('|').unwrap_or(row);
    let mut cells = vec![String::new()];
    let (mut code, mut escaped) = (false, false);
    for each in row.chars() {
        code ^= each == '`';
        match cells.last_mut() {
            Some(_) if each == '|' && !code && !escaped => cells.push(String::new()),
            Some(cell) => cell.push(each),
            None => {}
        }
        escaped = each == '\\' && !escaped;
    }
    if cells.len() > 1 && cells.last().is_some_and(|cell| cell.trim().is_empty()) {
        cells.pop();
    }
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

/// The row under the head, such as `|---|:-:|`.
fn sides(row: &str) -> Option<Vec<Side>> {
    let side = |cell: String| {
        let dashes = cell.trim_start_matches(':').trim_end_matches(':');
        let is_rule = !dashes.is_empty() && dashes.chars().all(|it| it == '-');
        is_rule.then_some(match (cell.starts_with(':'), cell.ends_with(':')) {
            (true, true) => Side::Both,
            (false, true) => Side::Left,
            _ => Side::Right,
        })
    };
    cells(row).into_iter().map(side).collect()
}
