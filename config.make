# Rules that nginx's configure appends to the Makefile it writes, for dynamic
# and static builds alike: the Redis script becomes a C header beside nginx's
# own generated files, and is made again when the script changes.

mkdir -p $NGX_OBJS/gen

cat << END                                                    >> $NGX_MAKEFILE

$NGX_OBJS/gen/pu_change_lua.h:	$ngx_addon_dir/src/core/change.lua \\
		$ngx_addon_dir/tools/embed
	$ngx_addon_dir/tools/embed pu_change_lua \\
		$ngx_addon_dir/src/core/change.lua > \$@.new
	mv \$@.new \$@

END
