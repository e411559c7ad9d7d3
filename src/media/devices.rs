//! What this machine can capture with. Looks, and opens nothing.

use std::fmt;

use gst::prelude::*;
use serde::Serialize;

use super::error::MediaError;

/// What a device gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Pictures.
    Camera,
    /// Sound.
    Microphone,
    /// The screen.
    Screen,
}

impl Class {
    const fn name(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Microphone => "microphone",
            Self::Screen => "screen",
        }
    }
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Device {
    /// Stable over restarts: for show files.
    pub id: String,
    /// For people.
    pub name: String,
    /// What it gives.
    pub class: Class,
    /// Through what it is reached: `v4l2`, `pulseaudio`, `x11`.
    pub api: String,
    /// What it offers, one line each, at most eight.
    pub formats: Vec<String>,
    /// Whether it is the system's first choice.
    pub default: bool,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = if self.default { "*" } else { " " };
        write!(
            f,
            "{first} {:<10} {} [{}]  id: {}",
            self.class.name(),
            self.name,
            self.api,
            self.id
        )?;
        for format in &self.formats {
            write!(f, "\n               {format}")?;
        }
        Ok(())
    }
}

/// Every camera, microphone and screen there is.
///
/// # Errors
/// When GStreamer cannot look at all.
pub fn list() -> Result<Vec<Device>, MediaError> {
    super::init()?;
    let mut found: Vec<Device> = Vec::new();
    for class in [Class::Camera, Class::Microphone] {
        found.extend(seen(class).iter().map(|device| describe(device, class)));
    }
    if let Ok(display) = std::env::var("DISPLAY")
        && !display.is_empty()
    {
        found.push(Device {
            name: format!("X display {display}"),
            id: display,
            class: Class::Screen,
            api: "x11".to_owned(),
            formats: Vec::new(),
            default: true,
        });
    }
    Ok(found)
}

/// A source element for the device called `wanted` (its name or id).
pub fn open(class: Class, wanted: &str) -> Result<gst::Element, MediaError> {
    find(class, Some(wanted))?
        .create_element(None)
        .map_err(|_| MediaError::passing(format!("the {} '{wanted}' does not open", class.name())))
}

/// The device called `wanted`, or the first.
pub fn find(class: Class, wanted: Option<&str>) -> Result<gst::Device, MediaError> {
    let all = seen(class);
    let names: Vec<String> = all.iter().map(|d| format!("'{}'", d.display_name())).collect();
    all.into_iter().find(|d| wanted.is_none_or(|w| d.display_name() == w || id(d) == w)).ok_or_else(
        || {
            let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let wanted = wanted.map_or_else(String::new, |w| format!(" '{w}'"));
            MediaError::passing(format!(
                "there is no {}{wanted}: connected now: {there}; see `hawker devices`",
                class.name()
            ))
        },
    )
}

fn seen(class: Class) -> Vec<gst::Device> {
    let monitor = gst::DeviceMonitor::new();
    let filter = if class == Class::Camera { "Video/Source" } else { "Audio/Source" };
    if monitor.add_filter(Some(filter), None).is_none() || monitor.start().is_err() {
        // No provider for this class is installed, or none runs: then there is no device.
        return Vec::new();
    }
    let devices = monitor.devices().into_iter().collect();
    monitor.stop();
    devices
}

fn property(device: &gst::Device, names: &[&str]) -> Option<String> {
    let properties = device.properties()?;
    names.iter().find_map(|name| properties.get::<String>(*name).ok())
}

fn id(device: &gst::Device) -> String {
    property(device, &["device.bus_path", "node.name", "device.path", "api.v4l2.path", "device.id"])
        .or_else(|| {
            // PulseAudio's provider keeps the source's name on the device, not among the properties.
            device
                .find_property("internal-name")
                .and_then(|_| device.property::<Option<String>>("internal-name"))
        })
        .unwrap_or_else(|| device.display_name().to_string())
}

/// Where a provider does not say it: `GstPulseDevice` is `pulseaudio`.
fn api(kind: &str) -> String {
    let name = kind.trim_start_matches("Gst").trim_end_matches("Device").to_ascii_lowercase();
    if name == "pulse" { "pulseaudio".to_owned() } else { name }
}

/// A format without GStreamer's `(type)` before each value.
fn readable(structure: &str) -> String {
    let mut out = String::with_capacity(structure.len());
    let mut rest = structure.trim_end_matches(';');
    while let Some((before, after)) = rest.split_once("=(") {
        out.push_str(before);
        out.push('=');
        rest = after.split_once(')').map_or(after, |(_, value)| value);
    }
    out.push_str(rest);
    out
}

fn describe(device: &gst::Device, class: Class) -> Device {
    let mut formats: Vec<String> = Vec::new();
    for structure in device.caps().iter().flat_map(|caps| caps.iter()) {
        let line = readable(&structure.to_string());
        if formats.len() < 8 && !formats.contains(&line) {
            formats.push(line);
        }
    }
    Device {
        id: id(device),
        name: device.display_name().to_string(),
        class,
        api: property(device, &["device.api"]).unwrap_or_else(|| api(device.type_().name())),
        formats,
        default: device
            .properties()
            .and_then(|p| p.get::<bool>("is-default").ok())
            .unwrap_or(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_and_apis_are_for_people() {
        assert_eq!(
            readable("audio/x-raw, format=(string){ S16LE, F32LE }, rate=(int)[ 1, 384000 ];"),
            "audio/x-raw, format={ S16LE, F32LE }, rate=[ 1, 384000 ]"
        );
        assert_eq!(api("GstPulseDevice"), "pulseaudio");
        assert_eq!(api("GstV4l2Device"), "v4l2");
    }
}
