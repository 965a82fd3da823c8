# Rules that nginx's configure appends to the Makefile it writes, for dynamic
# and static builds alike: the Redis script becomes a C header beside nginx's
# own generated files, and is made again when a part of it changes.

mkdir -p $NGX_OBJS/gen

ngx_proxy_user_script=`ls $ngx_addon_dir/src/core/change/*.lua \
                       | LC_ALL=C sort | tr '\n' ' '`

cat << END                                                    >> $NGX_MAKEFILE

$NGX_OBJS/gen/pu_change_lua.h:	$ngx_proxy_user_script \
		$ngx_addon_dir/tools/embed
	$ngx_addon_dir/tools/embed pu_change_lua \
		$ngx_proxy_user_script > \$@.new
	mv \$@.new \$@

END
