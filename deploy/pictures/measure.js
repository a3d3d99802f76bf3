// Draws the replies as a client does, at both widths, and measures them. What was found stands in the page
// then, as JSON in an element of its own: `chromium --dump-dom` brings it out. With `#NAME/WIDTH/THEME` it
// shows that one reply instead, and with `#/WIDTH/THEME` all of them, for a picture.
"use strict";

const WIDTHS = [390, 1280];
const THEMES = ["light", "dark"];

// What a client looks for in text that has no links in it, ours and wider than most: addresses, domains,
// ids, and calls to the whole room.
const LINKS = [
    /[a-z][a-z0-9+.-]*:\/\/\S+/giu,
    /\b(?:matrix|mailto|magnet|tel|sip|xmpp|geo):[^\s]+/giu,
    /\bwww\.\S+/giu,
    /[\p{L}\p{N}-]+\.(?:com|org|net|dev|test|example|[a-z]{2})(?![\p{L}\p{N}])/giu,
    /[@#!+][^\s:@]+:[\p{L}\p{N}[]\S*/gu,
    /\blocalhost\b\S*/giu,
    /@room\b/giu,
];

const replies = JSON.parse(document.getElementById("replies").textContent);
const style = document.getElementById("style").textContent;

function found(text) {
    return LINKS.flatMap((link) => text.match(link) ?? []);
}

// A frame of exactly this width, which no window can be made as narrow as.
function timeline(width, theme) {
    const frame = document.createElement("iframe");
    frame.width = width;
    document.body.append(frame);
    const page = frame.contentDocument;
    // An empty frame would be drawn as pages were before there was a standard.
    page.open();
    page.write("<!DOCTYPE html><html><head></head><body></body></html>");
    page.close();
    page.documentElement.dataset.theme = theme;
    const sheet = page.createElement("style");
    sheet.textContent = style;
    page.head.append(sheet);
    return frame;
}

function show(frame, reply) {
    const page = frame.contentDocument;
    const message = page.createElement("div");
    const [sender, words] = [page.createElement("div"), page.createElement("div")];
    message.className = "message";
    sender.className = "sender";
    sender.textContent = "synod";
    words.className = "words";
    words.innerHTML = reply.html;
    message.append(sender, words);
    page.body.append(message);
    return words;
}

// The parts of a block between its line breaks.
function linesOf(block) {
    const lines = [[]];
    for (const node of block.childNodes) {
        if (node.nodeName === "BR") lines.push([]);
        else if (node.textContent.trim()) lines.at(-1).push(node);
    }
    return lines.filter((line) => line.length > 0);
}

// How many lines of the screen each entry takes. An entry is a block in which `begins` is found, or a part
// of one: where several of its lines begin an entry, it goes from one of them to the next.
function rows(words, begins) {
    const counts = [];
    const height = parseFloat(getComputedStyle(words).lineHeight);
    for (const block of words.querySelectorAll("p, li, tr, pre")) {
        if (block.querySelector("p, li, ul, ol")) continue;
        const entries = [[]];
        let begun = 0;
        for (const line of block.matches("tr") ? [[block]] : linesOf(block)) {
            if (begins.test(line.map((node) => node.textContent).join("").trim())) {
                begun += 1;
                if (begun > 1) entries.push([]);
            }
            entries.at(-1).push(...line);
        }
        if (begun === 0) continue;
        for (const entry of entries) {
            const range = words.ownerDocument.createRange();
            range.setStartBefore(entry[0]);
            range.setEndAfter(entry.at(-1));
            counts.push(Math.max(1, Math.round(range.getBoundingClientRect().height / height)));
        }
    }
    return counts;
}

// Whether something is wider than the column, or can be read only by scrolling sideways.
function overflows(words) {
    const right = words.getBoundingClientRect().right + 1;
    return [words, ...words.querySelectorAll("*")].some(
        (element) => element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0
            || element.getBoundingClientRect().right > right,
    );
}

// What would be a link or a mention. Ids of ours stand in code, where they may be one.
function links(words) {
    const walker = words.ownerDocument.createTreeWalker(words, NodeFilter.SHOW_TEXT);
    const all = [];
    while (walker.nextNode()) {
        if (!walker.currentNode.parentElement.closest("code, pre, a")) {
            all.push(...found(walker.currentNode.data));
        }
    }
    return all;
}

function measure() {
    const measures = [];
    for (const width of WIDTHS) {
        for (const theme of THEMES) {
            const frame = timeline(width, theme);
            for (const reply of replies) {
                const words = show(frame, reply);
                const elements = [...words.querySelectorAll("*")];
                measures.push({
                    name: reply.name,
                    width,
                    theme,
                    height: Math.ceil(words.getBoundingClientRect().height),
                    picture: Math.ceil(frame.contentDocument.body.getBoundingClientRect().height),
                    overflows: overflows(words),
                    rows: reply.row ? rows(words, new RegExp(reply.row, "u")) : [],
                    tags: [...new Set(elements.map((element) => element.localName))],
                    attributes: [...new Set(elements.flatMap((element) => element.getAttributeNames()))],
                    links: links(words),
                    body_links: found(reply.body),
                });
                words.parentElement.remove();
            }
            frame.remove();
        }
    }
    const out = document.createElement("script");
    out.type = "application/json";
    out.id = "measures";
    out.textContent = JSON.stringify(measures).replaceAll("<", "\\u003c");
    document.body.append(out);
}

function picture([name, width, theme]) {
    const frame = timeline(Number(width), theme);
    for (const reply of replies) {
        if (!name || reply.name === name) show(frame, reply);
    }
    frame.height = frame.contentDocument.documentElement.scrollHeight;
    document.body.style.background = frame.contentWindow.getComputedStyle(frame.contentDocument.body).backgroundColor;
}

// After the page is there: a frame needs a body to stand in.
window.addEventListener("DOMContentLoaded", () => {
    const wanted = decodeURIComponent(location.hash.slice(1));
    if (wanted) picture(wanted.split("/"));
    else measure();
});
