/** Control characters, and those that turn the direction of text around or take no room. */
const UNSAFE = /[\x00-\x1f\x7f-\x9f\u061c\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

const escaped = (character: string): string => {
  const code = character.charCodeAt(0);
  return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
};

/** A text whose control characters are shown instead of obeyed. */
export const showControls = (text: string): string => text.replace(UNSAFE, escaped);
