import { useEffect, useState } from "react";

type Room = typeof import("react-aria-components/Virtualizer");

let loaded: Room | null = null;

/** What draws only the rows in sight; fetched when the list is first wanted. Until then it draws the first page whole. */
export function useVirtualizer(isWanted: boolean): Room | null {
  const [room, setRoom] = useState<Room | null>(loaded);
  useEffect(() => {
    if (!isWanted || room) return;
    import("react-aria-components/Virtualizer").then(
      (found) => {
        loaded = found;
        setRoom(found);
      },
      () => undefined, // the list works without it
    );
  }, [isWanted, room]);
  return room;
}
