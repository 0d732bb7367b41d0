import "./theme/tokens.css";
import "./theme/base.css";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { I18nProvider } from "react-aria-components/I18nProvider";
import { createRoot } from "react-dom/client";
import { newQueryClient } from "./app/queryClient";
import { newRouter } from "./app/router";
import { LOCALE } from "./i18n/numbers";
import { noticeAttendance } from "./session/attendance";
import { applyTheme, chosenTheme } from "./theme/theme";

applyTheme(chosenTheme());
noticeAttendance(window);
const root = document.getElementById("root");
if (!root) throw new Error("index.html has no element #root");
createRoot(root).render(
  <StrictMode>
    <I18nProvider locale={LOCALE ?? "en-US"}>
      <QueryClientProvider client={newQueryClient()}>
        <RouterProvider router={newRouter()} />
      </QueryClientProvider>
    </I18nProvider>
  </StrictMode>,
);
