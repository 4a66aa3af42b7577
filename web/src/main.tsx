import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { makeQueryClient } from "./api/queries";
import { router } from "./routes";
import { applyTheme, storedTheme } from "./ui/theme";
import "./ui/theme.css";
import "./ui/pages.css";
import "./viewer/viewer.css";

const queries = makeQueryClient();
// Before anything is drawn, on every page.
applyTheme(storedTheme());

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  );
}
