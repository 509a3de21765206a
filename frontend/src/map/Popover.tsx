/** Kepler's tooltip in a box that stays within the map: Kepler's own would leave it at the top and the bottom. */
import { useLayoutEffect, useRef, useState, type ComponentType } from "react";

interface Told {
  coordinate: unknown;
  zoom: number;
  layerHoverProp: unknown;
}

interface Props extends Told {
  /** Pixels of the pointer from the map's corner. */
  x: number;
  y: number;
  container?: HTMLElement | null;
}

interface Size {
  width: number;
  height: number;
}

/** Pixels between the pointer and the box, and between the box and the map's edge. */
const GAP = 18;
const EDGE = 8;

/** Where in a map of size `map` a box of size `box` goes: right of the pointer and below it, as far as there is room. */
export function placed(x: number, y: number, box: Size, map: Size): { left: number; top: number } {
  const right = x + GAP;
  const left = right + box.width + EDGE <= map.width ? right : x - GAP - box.width;
  const within = (at: number, length: number, whole: number): number => Math.max(EDGE, Math.min(at, whole - length - EDGE));
  return { left: within(left, box.width, map.width), top: within(y + GAP, box.height, map.height) };
}

export function popoverWith(Content: ComponentType<Told>): ComponentType<Props> {
  return function Popover({ x, y, container, ...told }: Props): JSX.Element {
    const frame = useRef<HTMLDivElement>(null);
    const [box, setBox] = useState<Size>({ width: 0, height: 0 });
    useLayoutEffect(() => {
      const { offsetWidth: width, offsetHeight: height } = frame.current!;
      if (width !== box.width || height !== box.height) setBox({ width, height });
    });
    const map = { width: container?.clientWidth ?? 0, height: container?.clientHeight ?? 0 };
    return (
      <div className="map-popover" ref={frame} style={placed(x, y, box, map)}>
        <Content {...told} />
      </div>
    );
  };
}
