//! How large a source's picture is delivered: as it is if it fits the canvas, else scaled down to fit, shape
//! kept, pixels square. Pure arithmetic.

/// The size (even numbers) at which a picture of `width` x `height` pixels, each `par` wide to high, is
/// delivered for a canvas of `canvas` pixels.
pub fn fit((width, height): (u32, u32), par: (u32, u32), canvas: (u32, u32)) -> (u32, u32) {
    let (par_n, par_d) = (u64::from(par.0.max(1)), u64::from(par.1.max(1)));
    let (mut w, mut h) = (u64::from(width.max(1)), u64::from(height.max(1)));
    // Square pixels by making the longer way shorter: never scaled up.
    if par_n >= par_d {
        h = (h * par_d / par_n).max(1);
    } else {
        w = (w * par_n / par_d).max(1);
    }
    let (cw, ch) = (u64::from(canvas.0), u64::from(canvas.1));
    if w > cw || h > ch {
        if w * ch > h * cw {
            (w, h) = (cw, (h * cw + w / 2) / w);
        } else {
            (w, h) = ((w * ch + h / 2) / h, ch);
        }
    }
    let even = |v: u64| u32::try_from((v & !1).max(2)).unwrap_or(2);
    (even(w), even(h))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_never_scaled_up_and_always_fits() {
        let canvas = (1280, 720);
        assert_eq!(fit((1280, 720), (1, 1), canvas), (1280, 720));
        assert_eq!(fit((640, 360), (1, 1), canvas), (640, 360));
        assert_eq!(fit((1920, 1080), (1, 1), canvas), (1280, 720));
        assert_eq!(fit((1080, 1920), (1, 1), canvas), (404, 720));
        assert_eq!(fit((4000, 100), (1, 1), canvas), (1280, 32));
        assert_eq!(fit((720, 576), (16, 15), canvas), (720, 540));
        assert_eq!(fit((720, 480), (8, 9), canvas), (640, 480));
        assert_eq!(fit((1, 1), (1, 1), canvas), (2, 2));
    }
}
