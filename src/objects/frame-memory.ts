import { FRAME_BYTES } from './frame.ts';
export const FRAMES_A_WRITE = 2;
export const BYTES_OF_A_WRITE = FRAMES_A_WRITE * FRAME_BYTES;
