"""The result of a run as a table in Markdown. What was not measured is a dash; what missed its bar is bold."""

SIGNS = {"twcc": "transport-cc", "rtcp": "RTCP", "consent": "consent only"}


def markdown(result):
    rows = [
        "| receiver | signs of life | connects | held | death noticed | back | top after stop | after outage "
        "| into a narrow path | most in 200 ms | calm: after stop, outage, narrow | bars missed | run |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in result["receivers"]:
        filling, calm = (row["content"].get(name) for name in ("filling", "calm"))
        main = filling or calm or {"measured": {}, "bars": {}}

        def cell(bar, unit=" s", of=None, main=main):
            found = (of or main)["bars"].get(bar)
            if found is None:
                return "–"
            value = "never" if found["value"] is None else f"{found['value']}{unit}"
            return value if found["met"] else f"**{value}**"

        hold = main["measured"].get("hold", {})
        if hold:
            lost = hold["lost"]
            held = f"{hold['seconds']:.0f} s, {hold['target_kbps']} kbit/s, {hold['frames_per_s']} frames/s"
            held += f", **{lost} lost**" if lost else ""
        else:
            held = "–"
        top = "at the top after "
        calm_cells = "–"
        if calm:
            names = ("a receiver that stopped", "an outage")
            calm_cells = ", ".join(
                [cell(top + name, of=calm) for name in names] + [cell("calm picture at the top after a narrow path", of=calm)]
            )
        name = f"{row['title']} {row['version'] or ''}".strip()
        if row["variant"]:
            name += f": {row['variant']}"
        if row["codec"] != "h264":
            name += f" ({row['codec'].upper()})"
        contents = [one for one in (filling, calm) if one]
        missed = sum(not bar["met"] for one in contents for bar in one["bars"].values())
        ratio = cell("sent into a narrow path, of its rate", "")
        rows.append("| " + " | ".join([
            name, SIGNS.get(hold.get("sign"), "–"), cell("connects"), held, cell("death noticed"),
            cell("frames after its restart"), cell(top + "a receiver that stopped"), cell(top + "an outage"), ratio,
            cell("most sent in 200 ms, of the estimate", "x"), calm_cells, str(missed or "none"),
            f"{row['date']}, {row['hawker']}",
        ]) + " |")
    return "\n".join(rows) + "\n"
